//! Facts about this Linux host: processes, sockets, interfaces, namespaces, cgroups.
