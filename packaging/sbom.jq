# Turns `cargo metadata` into a CycloneDX 1.5 document: what the programs of $crates consist of, without what only builds or
# tests them. $lock is the text of Cargo.lock, which has the checksums.

def name_and_version: "\(.name)@\(.version)";
def purl: "pkg:cargo/\(name_and_version)";

# {"name@version": checksum}
def checksums:
  [$lock | scan("name = \"([^\"]+)\"\nversion = \"([^\"]+)\"\nsource = [^\n]+\nchecksum = \"([^\"]+)\"")]
  | map({key: "\(.[0])@\(.[1])", value: .[2]}) | from_entries;

# Everything that these packages link, themselves included.
def closure($links):
  (. + (map($links[.] // []) | add // []) | unique) as $more
  | if $more == . then . else $more | closure($links) end;

(checksums) as $checksums
| (.packages | map({key: .id, value: .}) | from_entries) as $packages
| (.resolve.nodes
   | map({key: .id, value: [.deps[] | select(any(.dep_kinds[]; .kind == null)) | .pkg]}) | from_entries) as $links
| [.packages[] | select(.name as $name | $crates | index($name)) | .id] as $roots
| ($roots | closure($links) | map($packages[.]) | sort_by(name_and_version)) as $parts
| {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: {
      timestamp: ($epoch | todate),
      component: {type: "application", name: "logyard", version: $version, "bom-ref": "logyard-release"}
    },
    components: [$parts[] | {
      type: (if .id as $id | $roots | index($id) then "application" else "library" end),
      "bom-ref": purl,
      name,
      version,
      description,
      licenses: [{expression: ((.license // "NOASSERTION") | gsub("/"; " OR "))}],
      purl: purl,
      hashes: [$checksums[name_and_version] | select(. != null) | {alg: "SHA-256", content: .}]
    }],
    dependencies: ([{ref: "logyard-release", dependsOn: [$roots[] | $packages[.] | purl] | sort}]
      + [$parts[] | {ref: purl, dependsOn: [$links[.id][] | $packages[.] | purl] | sort}])
  }
