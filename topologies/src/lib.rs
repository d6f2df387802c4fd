//! Topologies: how a group is wired and where a parcel goes next.
