// Scanners of others, and a program of theirs that makes grype's data base of what vunnel read (docs/advisories.md).
module nacre/peers

go 1.26

require (
	github.com/anchore/grype v0.121.2
	github.com/anchore/syft v1.57.0
)
