//! `train`, `sample`, `augment`, `encode`, `demo`: from a panel to artificial people and back.

use crate::{Folder, bcftools, demo_panel, haploom, vcf};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A machine that is trained in no time; not a good one.
const SMALL: &str = "hidden=8,updates=30,batch=20,chains=20,k=2,sweeps=5,clusters=2";

/// 40 people of the demo at its first sites.
fn panel(folder: &Folder) -> String {
    let names: Vec<String> = ["AFR", "EUR"].iter().flat_map(|p| (0..20).map(move |i| format!("{p}{i:03}"))).collect();
    let target = folder.path("panel.bcf");
    let demo = demo_panel().to_str().expect("text").to_string();
    haploom(["convert", "-q", &demo, &target, "-s", &names.join(","), "-r", "1:1-400000"]).ok();
    target
}

fn train(folder: &Folder, panel: &str, name: &str, extra: &[&str]) -> String {
    let model = folder.path(name);
    let mut args = vec!["train", panel, "-o", &model, "-q"];
    args.extend(extra);
    let run = haploom(&args).ok();
    assert!(run.err.is_empty() && run.out.is_empty(), "{}", run.err);
    model
}

fn bytes(path: &str) -> Vec<u8> {
    std::fs::read(path).expect("a file")
}

/// Genotypes as bcftools reads them: a line a site.
fn genotypes(path: &str) -> Vec<Vec<String>> {
    let text = bcftools(&["query", "-f", "%POS[\t%GT]\n", path]);
    text.lines().map(|line| line.split('\t').map(String::from).collect()).collect()
}

#[test]
fn every_kind_of_model_goes_from_a_panel_to_an_indexed_bcf() {
    let folder = Folder::new();
    let panel = panel(&folder);
    let sites = genotypes(&panel).len();
    for (kind, set) in [("rbm", SMALL), ("bernoulli", ""), ("markov", "window=5")] {
        let model = train(&folder, &panel, kind, &["--model", kind, "--set", set]);
        let info = haploom(["info", &model]).ok().text();
        for line in [format!("kind\tmodel, {kind}"), format!("sites\t{sites}"), "training haplotypes\t80".into()] {
            assert!(info.lines().any(|l| l == line), "{line}:\n{info}");
        }
        assert!(info.contains("what it may leak\t"), "{info}");
        let new = folder.path("new.bcf");
        haploom(["sample", &model, "-n", "20", "-o", &new]).ok();
        let made = genotypes(&new);
        assert_eq!((made.len(), made[0].len()), (sites, 11));
        assert_eq!(bcftools(&["query", "-l", &new]).lines().last(), Some("HAPLOOM_9"));
        let header = bcftools(&["view", "-h", &new]);
        for part in ["##source=haploom", &format!("##haploom_model={kind}, sha256 "), "##haploom_seed=1"] {
            assert!(header.contains(part), "{part}:\n{header}");
        }
        assert!(!bcftools(&["view", "-H", "-r", "1:1-200000", &new]).is_empty());
        haploom(["evaluate", "-q", &panel, &new]).ok();
    }
}

#[test]
fn the_same_command_gives_the_same_bytes_on_any_number_of_threads() {
    let folder = Folder::new();
    let panel = panel(&folder);
    let one = train(&folder, &panel, "model", &["--set", SMALL, "--threads", "1"]);
    let first = bytes(&one);
    let other = train(&folder, &panel, "model", &["--set", SMALL, "--threads", "3"]);
    assert_eq!(first, bytes(&other));
    assert_ne!(first, bytes(&train(&folder, &panel, "model2", &["--set", SMALL, "--seed", "2"])));
    let sample = |threads: &str, seed: &str| {
        haploom(["sample", &one, "-n", "40", "-o", "-", "-q", "--threads", threads, "--seed", seed]).ok().out
    };
    assert_eq!(sample("1", "5"), sample("3", "5"));
    assert_ne!(sample("1", "5"), sample("1", "6"));
}

#[test]
fn haplotype_i_is_the_same_in_any_portion_and_region() {
    let folder = Folder::new();
    let panel = panel(&folder);
    let model = train(&folder, &panel, "model", &["--set", SMALL]);
    let sample = |name: &str, args: &[&str]| {
        let target = folder.path(name);
        let mut all = vec!["sample", &model, "-o", &target, "-q"];
        all.extend(args);
        haploom(&all).ok();
        (genotypes(&target), bcftools(&["query", "-l", &target]))
    };
    let (whole, names) = sample("whole.vcf.gz", &["-n", "20"]);
    let (rest, rest_names) = sample("rest.bcf", &["-n", "8", "--first", "12"]);
    for (all, some) in whole.iter().zip(&rest) {
        assert_eq!(all[7..], some[1..]);
    }
    assert!(names.ends_with(&rest_names));
    let (part, _) = sample("part.vcf", &["-n", "20", "-r", "1:100000-200000"]);
    let inside = |site: &&Vec<String>| (100_000..=200_000).contains(&site[0].parse::<u64>().expect("a position"));
    assert_eq!(part, whole.iter().filter(inside).cloned().collect::<Vec<_>>());
}

#[test]
fn people_need_two_haplotypes_and_names_of_their_own() {
    let folder = Folder::new();
    let panel = panel(&folder);
    let model = train(&folder, &panel, "model", &["--model", "bernoulli"]);
    let out = folder.path("out.bcf");
    for command in [vec!["sample", &model], vec!["augment", &panel, &model]] {
        let run = |extra: &[&str]| haploom(command.iter().chain(&["-o", &out]).chain(extra));
        run(&["-n", "7"]).refused(2, &["7 haplotypes", "ask for 6 or 8"]);
        run(&["-n", "0"]).refused(2, &["no haplotypes"]);
        run(&["-n", "4", "--first", "3"]).refused(2, &["begin at 2 or 4"]);
        run(&["-n", "4", "--label", "EUR"]).refused(1, &["model", "EUR"]);
        run(&["-n", "4", "-r", "7"]).refused(1, &["model", "region 7"]);
        assert_eq!(run(&["-n", "-4"]).status, 2);
        assert_eq!(run(&[]).status, 2);
    }
    haploom(["augment", &panel, &model, "-o", &out, "-n", "4", "--prefix", "AFR"]).ok();
    let clash = folder.path("clash.bcf");
    let names = folder.file("names.txt", (0..40).map(|i| format!("HAPLOOM_{i}\n")).collect::<String>());
    bcftools(&["reheader", "-s", &names, "-o", &clash, &panel]);
    haploom(["augment", &clash, &model, "-o", &out, "-n", "4"]).refused(1, &["HAPLOOM_0", "--prefix"]);
    haploom(["augment", &clash, &model, "-o", &out, "-n", "4", "--prefix", "NEW"]).ok();
}

#[test]
fn augment_appends_people_and_leaves_the_real_ones_alone() {
    let folder = Folder::new();
    let panel = panel(&folder);
    let model = train(&folder, &panel, "model", &["--set", SMALL, "-r", "1:100000-400000"]);
    let (alone, larger) = (folder.path("alone.bcf"), folder.path("larger.bcf"));
    haploom(["sample", &model, "-n", "6", "-o", &alone, "-q"]).ok();
    let run = haploom(["augment", &panel, &model, "-n", "6", "-o", &larger]).ok();
    assert!(run.err.contains("40 real people and 3 artificial ones"), "{}", run.err);
    assert!(run.err.contains("outside the model were dropped"), "{}", run.err);
    let (real, new, all) = (genotypes(&panel), genotypes(&alone), genotypes(&larger));
    assert_eq!(all.len(), new.len());
    let dropped = real.len() - new.len();
    for (i, line) in all.iter().enumerate() {
        assert_eq!(line[..41], real[dropped + i][..]);
        assert_eq!(line[41..], new[i][1..]);
    }
    haploom(["augment", &panel, &model, "-n", "6", "-o", &larger, "--outside", "missing", "-q"]).ok();
    let all = genotypes(&larger);
    assert_eq!(all.len(), real.len());
    assert_eq!(all[0][41], ".|.");
    haploom(["augment", &panel, &model, "-n", "6", "-o", &larger, "--outside", "refuse"]).refused(1, &["panel.bcf"]);
    assert_eq!(genotypes(&larger), all, "a refusal leaves the file that was there");
}

#[test]
fn encode_writes_a_line_a_haplotype() {
    let folder = Folder::new();
    let panel = panel(&folder);
    let model = train(&folder, &panel, "model", &["--set", SMALL]);
    let labels = format!("{}/assets/demo_samples.tsv", env!("CARGO_MANIFEST_DIR"));
    let run = haploom(["encode", "-q", &model, &panel, "-o", "-", "--vectors", "3", "--labels", &labels]).ok();
    let text = run.text();
    let rows: Vec<Vec<&str>> = text.lines().map(|l| l.split('\t').collect()).collect();
    assert_eq!(rows.len(), 81);
    assert!(rows.iter().all(|row| row.len() == 3 + 3 + 8));
    assert_eq!(rows[0][..5], ["sample", "haplotype", "label", "vector_1", "vector_2"]);
    assert_eq!(rows[2][..3], ["AFR000", "2", "AFR"]);
    assert!(rows[1..].iter().flat_map(|r| &r[6..]).all(|h| (0.0..=1.0).contains(&h.parse::<f64>().expect("a number"))));
    let small = folder.file("small.vcf", crate::small_vcf());
    haploom(["encode", &model, &small, "-o", "-"]).refused(1, &["small.vcf"]);
    let part = folder.path("part.bcf");
    haploom(["convert", "-q", &panel, &part, "-r", "1:1-100000"]).ok();
    haploom(["encode", &model, &part, "-o", "-"]).refused(1, &["part.bcf", "sites of the model"]);
    let bernoulli = train(&folder, &panel, "bernoulli", &["--model", "bernoulli"]);
    haploom(["encode", &bernoulli, &panel, "-o", "-"]).refused(2, &["bernoulli", "RBM"]);
}

#[test]
fn what_is_no_panel_or_no_model_is_refused_by_name() {
    let folder = Folder::new();
    let panel = panel(&folder);
    let model = train(&folder, &panel, "model", &["--model", "bernoulli"]);
    let out = folder.path("out");
    let unphased = folder.file("unphased.vcf", vcf(&["ann", "ben"], &[(100, &["0/1", "0|1"])]));
    haploom(["train", &unphased, "-o", &out]).refused(1, &["unphased.vcf", "1:100", "ann", "--unphased"]);
    haploom(["train", &unphased, "-o", &out, "--unphased", "keep"]).refused(1, &["unphased.vcf", "ann"]);
    haploom(["train", &panel, "-o", &out, "--set", "hiden=3"]).refused(2, &["hiden", "hidden"]);
    haploom(["train", &panel, "-o", &out, "--set", "hidden=-1"]).refused(2, &["hidden", "whole number"]);
    haploom(["train", &panel, "-o", &out, "--set", "hidden"]).refused(2, &["key=value"]);
    haploom(["train", &panel, "-o", &out, "--set", "rounds=3"]).refused(2, &["rounds", "sampling"]);
    haploom(["train", &panel, "-o", &out, "--model", "markov", "--set", "hidden=3"]).refused(2, &["hidden", "RBM"]);
    haploom(["sample", &model, "-n", "2", "-o", "-", "--set", "hidden=3"]).refused(2, &["hidden", "training"]);
    haploom(["train", &panel, "-o", &out, "--resume"]).refused(1, &["out.checkpoint"]);
    haploom(["train", &panel, "-o", "/no/such/folder/model", "--set", SMALL]).refused(1, &["/no/such/folder"]);
    assert_eq!(haploom(["train", &panel, "-o", &out, "--model", "perceptron"]).status, 2);
    haploom(["sample", &panel, "-n", "2", "-o", "-"]).refused(1, &["panel.bcf"]);
    haploom(["sample", "/no/such/model", "-n", "2", "-o", "-"]).refused(1, &["/no/such/model"]);
    haploom(["sample", &model, "-n", "2", "-o", &out]).refused(1, &["out", ".vcf.gz"]);
    let truncated = folder.file("truncated", &bytes(&model)[..2000]);
    haploom(["sample", &truncated, "-n", "2", "-o", "-"]).refused(1, &["truncated"]);
    haploom(["info", &truncated]).refused(1, &["truncated"]);
    assert!(!Path::new(&out).exists());
}

#[test]
fn ctrl_c_leaves_a_checkpoint_that_ends_in_the_same_model() {
    let folder = Folder::new();
    let panel = panel(&folder);
    let set = "hidden=8,updates=6000,batch=20,chains=20,k=2,sweeps=5,clusters=2";
    let straight = train(&folder, &panel, "straight", &["--set", set]);
    let model = folder.path("model");
    let checkpoint = folder.path("model.checkpoint/checkpoint.safetensors");
    let child = Command::new(env!("CARGO_BIN_EXE_haploom"))
        .args(["train", &panel, "-o", &model, "--set", set])
        .stderr(Stdio::piped())
        .spawn()
        .expect("haploom runs");
    // The first checkpoint comes after some hundred updates: by then signals are listened to.
    for _ in 0..6000 {
        if Path::new(&checkpoint).exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(kill.success());
    let run = crate::Run::from(child.wait_with_output().expect("haploom ends"));
    assert_eq!(run.status, 130, "{}", run.err);
    let last = run.err.lines().last().unwrap_or_default();
    assert!(last.contains("--resume") && last.contains("model.checkpoint"), "{}", run.err);
    assert!(!Path::new(&model).exists());
    haploom(["train", &panel, "-o", &model, "--set", "hidden=9", "--resume"]).refused(1, &["checkpoint"]);
    haploom(["train", &panel, "-o", &model, "--set", set, "--resume"]).ok();
    assert_eq!(bytes(&model), bytes(&straight));
    assert!(!Path::new(&folder.path("model.checkpoint")).exists(), "what nobody asked for does not stay");
}

#[test]
fn the_demo_goes_the_whole_way() {
    let folder = Folder::new();
    let run = haploom(["demo", &folder.path("demo")]).ok();
    for part in ["adversarial accuracy", "floor", "bcftools view", "600 held out"] {
        assert!(run.text().contains(part), "{part}:\n{}", run.text());
    }
    let found: BTreeSet<String> = std::fs::read_dir(folder.path("demo"))
        .expect("the folder")
        .map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    let wanted = [
        "artificial.bcf",
        "artificial.bcf.csi",
        "evaluation.json",
        "held_out.txt",
        "model.safetensors",
        "panel.bcf",
        "panel.bcf.csi",
        "people.tsv",
    ];
    assert_eq!(found, wanted.map(String::from).into());
    assert_eq!(bcftools(&["view", "-H", "-r", "1:1-100000", &folder.path("demo/artificial.bcf")]).lines().count(), {
        bcftools(&["view", "-H", "-r", "1:1-100000", &folder.path("demo/panel.bcf")]).lines().count()
    });
}

#[test]
fn python_opens_a_model_file() {
    let python = std::env::var("HAPLOOM_PYTHON").unwrap_or_else(|_| "python3".into());
    let imports = Command::new(&python).args(["-c", "import safetensors.numpy"]).output();
    if !imports.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: {python} has no safetensors and numpy (make test installs them, and sets HAPLOOM_PYTHON)");
        return;
    }
    let folder = Folder::new();
    let panel = panel(&folder);
    let model = train(&folder, &panel, "model.safetensors", &["--set", SMALL]);
    let script = "\
import json, sys
from safetensors import safe_open
with safe_open(sys.argv[1], 'numpy') as file:
    about = json.loads(file.metadata()['haploom'])
    sites = bytes(file.get_tensor('w0.sites')).decode().splitlines()
    print(about['kind'], about['haplotypes'], len(sites), file.get_tensor('w0.rbm.W').shape)
";
    let output = Command::new(&python).args(["-c", script, &model]).output().expect("python");
    let sites = genotypes(&panel).len();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text, format!("rbm 80 {sites} ({sites}, 8)\n"), "{}", String::from_utf8_lossy(&output.stderr));
}
