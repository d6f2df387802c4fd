//! The mesh
