// osvmatch BOM.cdx.json FOLDER: packages of a CycloneDX SBOM against FOLDER/ECOSYSTEM/all.zip, offline, by osv-scanner's own reader
// and matcher. Prints "PACKAGE VERSION RECORD UPSTREAM" for each match; fails when one of the two fails.
package main

import (
	"context"
	"fmt"
	"os"

	cpb "github.com/google/osv-scalibr/binary/proto/config_go_proto"
	"github.com/google/osv-scalibr/enricher/vulnmatch/osvlocal"
	"github.com/google/osv-scalibr/extractor/filesystem"
	"github.com/google/osv-scalibr/extractor/filesystem/sbom/cdx"
	"github.com/google/osv-scalibr/plugin/config"
)

func run(bom, folder string) error {
	file, err := os.Open(bom)
	if err != nil {
		return err
	}
	defer file.Close()
	settings := config.DefaultPluginConfig()
	settings.ProtoConfig.PluginSpecific = []*cpb.PluginSpecificConfig{{Config: &cpb.PluginSpecificConfig_Osvlocal{
		Osvlocal: &cpb.OSVLocalConfig{LocalPath: folder}}}}
	reader, err := cdx.New(settings.ProtoConfig)
	if err != nil {
		return err
	}
	matcher, err := osvlocal.New(settings)
	if err != nil {
		return err
	}
	found, err := reader.Extract(context.Background(), &filesystem.ScanInput{Path: bom, Reader: file})
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, len(found.Packages), "packages")
	if err := matcher.Enrich(context.Background(), nil, &found); err != nil {
		return err
	}
	for _, match := range found.PackageVulns {
		upstream := append(match.Vulnerability.GetUpstream(), "-")
		fmt.Println(match.Package.Name, match.Package.Version, match.Vulnerability.GetId(), upstream[0])
	}
	return nil
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: osvmatch BOM.cdx.json FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
