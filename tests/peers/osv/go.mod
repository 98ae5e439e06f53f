// What osv-scanner reads SBOMs and matches records with (docs/advisories.md). Apart from the other module, whose versions differ.
module nacre/peers/osv

go 1.26.5

require github.com/google/osv-scalibr v0.4.6-0.20260727075515-eb1ca153f805
