// secdb2grype WORKSPACE/metadata.json DIR: what a provider of vunnel left in its workspace, made into DIR/vulnerability.db by
// grype's own builder.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/anchore/grype/grype/db"
	"github.com/anchore/grype/grype/db/provider"
	v6 "github.com/anchore/grype/grype/db/v6"
)

func run(state, directory string) error {
	read, err := provider.ReadState(state)
	if err != nil {
		return err
	}
	return db.Build(db.BuildConfig{
		SchemaVersion: v6.ModelVersion,
		Directory:     directory,
		States:        provider.States{*read},
		Timestamp:     time.Now(),
		Hydrate:       true,
	})
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: secdb2grype WORKSPACE/metadata.json DIR")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
