//! What the chat programs share.
