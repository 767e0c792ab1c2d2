//! Panels go out and come back the same, through each format and through bcftools.

use haploom::Panel;
use haploom::io::{Format, MissingRule, ReadOptions, UnphasedRule, WriteOptions, read_panel, write_panel};
use haploom::panel::bits::BitMatrix;
use haploom::panel::samples::{Sample, Samples};
use haploom::panel::sites::{Site, Sites};
use proptest::prelude::*;
use std::path::Path;
use std::process::Command;

/// What a panel may hold.
#[derive(Clone, Copy, Debug)]
struct Kind {
    missing: bool,
    unphased: bool,
    free_ids: bool,
}

fn alleles() -> impl Strategy<Value = (String, String)> {
    prop_oneof![
        4 => Just(("A".to_string(), "C".to_string())),
        2 => ("[ACGT]{1,20}", "[ACGT]{1,20}").prop_filter("alleles differ", |(r, a)| r != a),
        1 => Just(("G".to_string(), "<DEL>".to_string())),
    ]
}

fn panels(kind: Kind) -> impl Strategy<Value = Panel> {
    let sites = prop::collection::vec((0usize..3, 1u64..50, alleles(), "[a-zA-Z0-9_:.-]{0,12}"), 1..40);
    let names = prop::collection::hash_set("[A-Za-z0-9_.-]{1,10}", 1..80);
    (sites, names, any::<u64>(), any::<bool>(), any::<bool>()).prop_map(
        move |(steps, names, seed, haploid, incomplete)| {
            let contigs = ["1", "chrX", "HLA:01"];
            let mut steps = steps;
            steps.sort_by_key(|s| s.0);
            let (mut position, mut contig, mut sites) = (0, 0, Vec::new());
            for (c, step, (reference, alternate), id) in steps {
                if c != contig {
                    (position, contig) = (0, c);
                }
                position += step;
                let canonical = format!("{}:{position}_{reference}_{alternate}", contigs[c]);
                sites.push(Site {
                    contig: contigs[c].into(),
                    position,
                    id: match kind.free_ids {
                        true if id == "." => "".into(),
                        true => id.into(),
                        false => canonical.into(),
                    },
                    reference: reference.into(),
                    alternate: alternate.into(),
                });
            }
            let stream = haploom::rng::Stream::new(seed, haploom::rng::Purpose::Evaluate, 0);
            let mut reader = stream.reader(0);
            let samples: Vec<Sample> = names
                .into_iter()
                .map(|name| Sample { name, ploidy: if haploid && reader.below(3) == 0 { 1 } else { 2 }, label: None })
                .collect();
            let samples = Samples::new(samples).unwrap();
            let (h, m, n) = (samples.haplotypes(), sites.len(), samples.len());
            let missing = BitMatrix::from_fn(h, m, |_, _| kind.missing && incomplete && reader.below(10) == 0).unwrap();
            let bits = BitMatrix::from_fn(h, m, |r, c| reader.below(2) == 1 && !missing.get(r, c)).unwrap();
            let unphased = BitMatrix::from_fn(n, m, |i, c| {
                let range = samples.haplotypes_of(i);
                let allele = |k: usize| (missing.get(range.start + k, c), bits.get(range.start + k, c));
                kind.unphased && range.len() == 2 && allele(0) != allele(1) && reader.below(4) == 0
            })
            .unwrap();
            Panel::with_planes(Sites::new(sites).unwrap(), samples, bits, Some(missing), Some(unphased)).unwrap()
        },
    )
}

fn keeping() -> ReadOptions {
    ReadOptions { missing: MissingRule::Keep, unphased: UnphasedRule::Keep, ..ReadOptions::default() }
}

fn bcftools(arguments: &[&str]) -> Vec<u8> {
    let out = Command::new("bcftools").args(arguments).output().expect("bcftools is installed");
    assert!(out.status.success(), "bcftools {arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

/// A haploid person all of whose alleles are missing reads as a diploid one: `.` does not tell.
fn told(panel: &Panel) -> bool {
    let Some(missing) = panel.missing() else { return true };
    (0..panel.samples().len()).all(|i| {
        let range = panel.samples().haplotypes_of(i);
        range.len() == 2 || missing.count_row(range.start) < missing.columns()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn vcf_and_bcf_round_trip_alone_and_through_bcftools(
        panel in panels(Kind { missing: true, unphased: true, free_ids: true })
            .prop_filter("ploidy is told", told)
    ) {
        let dir = tempfile::tempdir().unwrap();
        for (name, threads) in [("a.vcf", 1), ("a.vcf.gz", 2), ("a.bcf", 1)] {
            let path = dir.path().join(name);
            let options = WriteOptions { threads, header_lines: vec![("haploom_seed".into(), "7".into())], ..WriteOptions::default() };
            write_panel(&path, &panel, &options).unwrap();
            let back = read_panel(&path, &ReadOptions { threads, ..keeping() }).unwrap();
            prop_assert_eq!(&back.panel, &panel);
            for (kind, other) in [("v", "b.vcf"), ("z", "b.vcf.gz"), ("b", "b.bcf"), ("u", "u.bcf")] {
                let other = dir.path().join(other);
                bcftools(&["view", "-O", kind, "-o", other.to_str().unwrap(), path.to_str().unwrap()]);
                let back = read_panel(&other, &keeping()).unwrap();
                prop_assert_eq!(&back.panel, &panel, "through bcftools view -O{}", kind);
            }
        }
        let text = bcftools(&["view", "-H", dir.path().join("a.vcf").to_str().unwrap()]);
        for other in ["a.vcf.gz", "a.bcf"] {
            prop_assert_eq!(&text, &bcftools(&["view", "-H", dir.path().join(other).to_str().unwrap()]));
        }
        let filled = bcftools(&["+fill-tags", dir.path().join("a.bcf").to_str().unwrap(), "--", "-t", "AC,AN"]);
        let bare = |text: &[u8]| -> Vec<String> {
            String::from_utf8_lossy(text).lines().filter(|l| !l.starts_with('#')).map(str::to_string).collect()
        };
        prop_assert_eq!(bare(&filled), bare(&text));
    }

    #[test]
    fn hap_and_legend_round_trip(panel in panels(Kind { missing: true, unphased: false, free_ids: false }).prop_filter("ploidy is told", told)) {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.hap", "b.hap.gz"] {
            let path = dir.path().join(name);
            write_panel(&path, &panel, &WriteOptions::default()).unwrap();
            prop_assert_eq!(&read_panel(&path, &keeping()).unwrap().panel, &panel);
        }
    }

    #[test]
    fn hapt_round_trips(panel in panels(Kind { missing: false, unphased: false, free_ids: false })) {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.hapt", "b.hapt.gz"] {
            let path = dir.path().join(name);
            write_panel(&path, &panel, &WriteOptions::default()).unwrap();
            prop_assert_eq!(&read_panel(&path, &ReadOptions::default()).unwrap().panel, &panel);
        }
    }

    #[test]
    fn regions_are_the_same_with_and_without_an_index(panel in panels(Kind { missing: false, unphased: false, free_ids: true }), from in 1u64..400, length in 0u64..400) {
        let dir = tempfile::tempdir().unwrap();
        let far: Vec<Site> = panel.sites().iter().map(|s| Site { position: s.position * 9_001, ..s.clone() }).collect();
        let panel = Panel::new(Sites::new(far).unwrap(), panel.samples().clone(), panel.bits().clone()).unwrap();
        let mut files = Vec::new();
        for (name, index) in [("a.vcf", false), ("b.vcf.gz", true), ("c.vcf.gz", false), ("d.bcf", true), ("e.bcf", false)] {
            let path = dir.path().join(name);
            write_panel(&path, &panel, &WriteOptions { index, ..WriteOptions::default() }).unwrap();
            prop_assert_eq!(dir.path().join(format!("{name}.tbi")).exists() || dir.path().join(format!("{name}.csi")).exists(), index);
            files.push(path);
        }
        let csi = dir.path().join("f.vcf.gz");
        std::fs::copy(&files[1], &csi).unwrap();
        bcftools(&["index", "-c", csi.to_str().unwrap()]);
        files.push(csi);
        for contig in panel.sites().contigs() {
            let region: haploom::panel::region::Region = format!("{contig}:{}-{}", from * 9_001, (from + length) * 9_001).parse().unwrap();
            let want = panel.in_region(&region).map_err(|e| e.kind());
            for path in &files {
                let read = read_panel(path, &ReadOptions { region: Some(region.clone()), ..ReadOptions::default() });
                prop_assert_eq!(read.map(|r| r.panel).map_err(|e| e.kind()), want.clone(), "{}", path.display());
            }
        }
    }

    #[test]
    fn samples_are_chosen_while_reading_as_afterwards(panel in panels(Kind { missing: true, unphased: true, free_ids: true }).prop_filter("ploidy is told", told), exclude: bool) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.bcf");
        write_panel(&path, &panel, &WriteOptions::default()).unwrap();
        let names: Vec<String> = panel.samples().iter().step_by(3).map(|s| s.name.clone()).collect();
        let want = panel.samples().find(&names, exclude).map(|chosen| panel.select_samples(&chosen).unwrap());
        let read = read_panel(&path, &ReadOptions { samples: Some((names, exclude)), ..keeping() });
        prop_assert_eq!(read.map(|r| r.panel).map_err(|e| e.kind()), want.map_err(|e| e.kind()));
    }
}

#[test]
fn bcftools_takes_our_indexes() {
    let dir = tempfile::tempdir().unwrap();
    let site =
        |position| Site { contig: "7".into(), position, id: "".into(), reference: "A".into(), alternate: "T".into() };
    for (last, index) in [(900, "a.vcf.gz.tbi"), (1 << 29, "a.vcf.gz.csi")] {
        let sites = Sites::new(vec![site(5), site(last)]).unwrap();
        let bits = BitMatrix::from_fn(4, 2, |r, c| (r + c) % 2 == 0).unwrap();
        let panel = Panel::artificial(sites, bits, "HAPLOOM").unwrap();
        for name in ["a.vcf.gz", "a.bcf"] {
            let path = dir.path().join(name);
            write_panel(&path, &panel, &WriteOptions::default()).unwrap();
            let stats = bcftools(&["index", "-s", path.to_str().unwrap()]);
            assert_eq!(String::from_utf8_lossy(&stats), "7\t.\t2\n");
            let found = bcftools(&["query", "-r", &format!("7:{last}"), "-f", "%POS\n", path.to_str().unwrap()]);
            assert_eq!(String::from_utf8_lossy(&found), format!("{last}\n"));
        }
        assert!(dir.path().join(index).exists());
        let of_vcf = [".tbi", ".csi"].iter().filter(|e| dir.path().join(format!("a.vcf.gz{e}")).exists()).count();
        assert_eq!(of_vcf, 1, "an index of the former file is left");
    }
}

#[test]
fn bcftools_converts_our_hap_files_and_we_read_its() {
    let dir = tempfile::tempdir().unwrap();
    let site = |position: u64| Site {
        contig: "X".into(),
        position,
        id: format!("X:{position}_A_T").into(),
        reference: "A".into(),
        alternate: "T".into(),
    };
    let sites = Sites::new((1..40).map(|i| site(i * 10)).collect()).unwrap();
    let person = |i: usize| Sample { name: format!("p{i}"), ploidy: 2 - u8::from(i.is_multiple_of(3)), label: None };
    let samples = Samples::new((0..30).map(person).collect()).unwrap();
    let bits = BitMatrix::from_fn(samples.haplotypes(), 39, |r, c| (r * 7 + c * 5) % 3 == 0).unwrap();
    let panel = Panel::new(sites, samples, bits).unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_string();
    write_panel(Path::new(&at("a.hap.gz")), &panel, &WriteOptions::default()).unwrap();
    let files = format!("{},{},{}", at("a.hap.gz"), at("a.legend.gz"), at("a.samples"));
    bcftools(&["convert", "-H", &files, "-Ob", "-o", &at("a.bcf")]);
    // bcftools drops the ids.
    let bare = panel.sites().iter().map(|s| Site { id: "".into(), ..s.clone() }).collect();
    let bare = Panel::new(Sites::new(bare).unwrap(), panel.samples().clone(), panel.bits().clone()).unwrap();
    assert_eq!(read_panel(Path::new(&at("a.bcf")), &ReadOptions::default()).unwrap().panel, bare);
    write_panel(Path::new(&at("ours.bcf")), &panel, &WriteOptions::default()).unwrap();
    bcftools(&["convert", "--haplegendsample", &at("b"), &at("ours.bcf")]);
    assert_eq!(read_panel(Path::new(&at("b.hap.gz")), &ReadOptions::default()).unwrap().panel, panel);
}

#[test]
fn a_person_with_more_than_two_alleles_can_be_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let vcf = dir.path().join("a.vcf");
    let text = "##fileformat=VCFv4.2\n##contig=<ID=7>\n##FORMAT=<ID=GT,Number=1,Type=String,Description=\"x\">\n\
                #CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\n7\t5\t.\tA\tC\t.\t.\t.\tGT\t0|1|1\t0|1\n";
    std::fs::write(&vcf, text).unwrap();
    let bcf = dir.path().join("a.bcf");
    bcftools(&["view", "-Ob", "-o", bcf.to_str().unwrap(), vcf.to_str().unwrap()]);
    for path in [vcf, bcf] {
        let e = read_panel(&path, &ReadOptions::default()).unwrap_err();
        assert_eq!((e.kind(), e.place().sample.as_deref()), (haploom::ErrorKind::Ploidy, Some("a")), "{e}");
        let without = ReadOptions { samples: Some((vec!["a".into()], true)), ..ReadOptions::default() };
        assert_eq!(read_panel(&path, &without).unwrap().panel.haplotypes(), 2);
    }
}

fn real(name: &str) -> Option<std::path::PathBuf> {
    match std::env::var_os("HAPLOOM_DATA") {
        Some(folder) => Some(Path::new(&folder).join(name)),
        None => {
            println!("skipped: HAPLOOM_DATA is not set");
            None
        }
    }
}

#[test]
fn chr15_reads_as_bcftools_queries_it() {
    let Some(path) = real("1000G_p3_chr15_10K_b37.vcf.gz") else { return };
    let panel = read_panel(&path, &ReadOptions { threads: 2, ..ReadOptions::default() }).unwrap().panel;
    let text = bcftools(&["query", "-f", "%CHROM %POS %ID %REF %ALT[ %GT]\n", path.to_str().unwrap()]);
    let bits = panel.bits().transpose().unwrap();
    let mut ours = Vec::new();
    for (s, site) in panel.sites().iter().enumerate() {
        ours.extend_from_slice(
            format!("{} {} {} {} {}", site.contig, site.position, site.id, site.reference, site.alternate).as_bytes(),
        );
        for i in 0..panel.samples().len() {
            let allele = |h| b'0' + u8::from(bits.get(s, h));
            ours.extend_from_slice(&[b' ', allele(2 * i), b'|', allele(2 * i + 1)]);
        }
        ours.push(b'\n');
    }
    assert!(ours == text, "the text of bcftools query differs");
    assert_eq!((panel.haplotypes(), panel.sites().len()), (5008, 10_000));
    let dir = tempfile::tempdir().unwrap();
    let bcf = dir.path().join("a.bcf");
    write_panel(&bcf, &panel, &WriteOptions::default()).unwrap();
    assert_eq!(read_panel(&bcf, &ReadOptions::default()).unwrap().panel, panel);
    let region = "15:28000000-28100000".parse().unwrap();
    let options = ReadOptions { region: Some(region), ..ReadOptions::default() };
    let from_index = read_panel(&path, &options).unwrap().panel;
    assert_eq!(from_index, panel.in_region(options.region.as_ref().unwrap()).unwrap());
}

#[test]
fn published_hapt_files_read_with_and_without_their_legend() {
    let (Some(path), Some(legend)) = (real("805_SNP_1000G_real.hapt.gz"), real("805_SNP.legend")) else { return };
    let read = read_panel(&path, &ReadOptions { legend: Some(legend.clone()), ..ReadOptions::default() }).unwrap();
    assert!(read.notices.is_empty(), "{:?}", read.notices);
    assert_eq!((read.panel.haplotypes(), read.panel.sites().len()), (5008, 805));
    assert_eq!(read.panel.sites().contigs().len(), 22);
    assert_eq!(read.panel.samples().as_slice()[0].name, "HG00096");
    let bare = read_panel(&path, &ReadOptions::default()).unwrap();
    assert!(bare.notices[0].contains("1 to 805"), "{:?}", bare.notices);
    assert_eq!(bare.panel.bits(), read.panel.bits());
    let artificial = real("805_SNP_RBM_AG_800Epochs.hapt.gz").unwrap();
    let read = read_panel(&artificial, &ReadOptions { legend: Some(legend), ..ReadOptions::default() }).unwrap();
    assert_eq!((read.panel.haplotypes(), read.panel.samples().len()), (5000, 2500));
    assert_eq!(read.panel.samples().as_slice()[1].name, "AG2_AG3");
}

#[test]
fn formats_are_told_by_content() {
    let dir = tempfile::tempdir().unwrap();
    let site =
        Site { contig: "7".into(), position: 3, id: "7:3_A_T".into(), reference: "A".into(), alternate: "T".into() };
    let bits = BitMatrix::from_fn(4, 1, |r, _| r % 2 == 0).unwrap();
    let panel = Panel::artificial(Sites::new(vec![site]).unwrap(), bits, "HAPLOOM").unwrap();
    for format in [Format::Vcf, Format::VcfGz, Format::Bcf] {
        let path = dir.path().join("panel.dat");
        write_panel(&path, &panel, &WriteOptions { format: Some(format), ..WriteOptions::default() }).unwrap();
        assert_eq!(read_panel(&path, &ReadOptions::default()).unwrap().panel, panel, "{format}");
    }
}
