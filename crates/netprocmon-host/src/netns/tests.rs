//! Real namespaces, where this process may make them.
