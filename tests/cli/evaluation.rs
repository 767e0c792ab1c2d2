//! `evaluate`: the table, the JSON, the floor.

use crate::{Folder, demo_panel, haploom};

/// The demo's labels: sample, population, and whether held out.
fn labels() -> String {
    format!("{}/assets/demo_samples.tsv", env!("CARGO_MANIFEST_DIR"))
}

/// Three disjoint groups of 30 people, ten of each population, as panels.
fn groups(folder: &Folder) -> [String; 3] {
    let panel = demo_panel().to_str().expect("text").to_string();
    [0, 10, 20].map(|first| {
        let names: Vec<String> =
            ["AFR", "EUR", "EAS"].iter().flat_map(|p| (first..first + 10).map(move |i| format!("{p}{i:03}"))).collect();
        let target = folder.path(&format!("{first}.bcf"));
        haploom(["convert", "-q", &panel, &target, "-s", &names.join(",")]).ok();
        target
    })
}

#[test]
fn the_table_goes_to_standard_output_and_the_numbers_to_json() {
    let folder = Folder::new();
    let [real, other, held_out] = groups(&folder);
    let json = folder.path("numbers.json");
    let run = haploom(["evaluate", &real, &other, "--test", &held_out, "--labels", &labels(), "--json", &json]).ok();
    assert!(
        run.text().contains("60 artificial haplotypes against 60 real ones, 60 held out, 800 sites"),
        "{}",
        run.text()
    );
    assert!(run.text().contains("floor"));
    let read: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).expect("the file")).expect("JSON");
    assert!(read.is_object());
    let again =
        haploom(["evaluate", "-q", &real, &other, "--test", &held_out, "--labels", &labels(), "--json", "-"]).ok();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&again.out).expect("JSON alone"), read);
    assert!(again.err.is_empty(), "{}", again.err);
}

#[test]
fn held_out_people_can_be_named_in_the_real_panel() {
    let folder = Folder::new();
    let [real, other, _] = groups(&folder);
    let names = folder.file("held_out.txt", "AFR000\nEUR000\nEAS000\n");
    let run = haploom(["evaluate", &real, &other, "--test-samples", &names]).ok();
    assert!(run.text().contains("against 54 real ones, 6 held out"), "{}", run.text());
    let unknown = folder.file("unknown.txt", "nobody\n");
    haploom(["evaluate", &real, &other, "--test-samples", &unknown]).refused(1, &["unknown.txt", "nobody"]);
}

#[test]
fn panels_that_do_not_compare_are_refused() {
    let folder = Folder::new();
    let [real, _, _] = groups(&folder);
    let small = folder.file("small.vcf", crate::small_vcf());
    haploom(["evaluate", &real, &small]).refused(1, &[]);
    haploom(["evaluate", &real, "/no/such.bcf"]).refused(1, &["/no/such.bcf"]);
}
