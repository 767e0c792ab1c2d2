//! probe: train on 805, report metrics
use haploom::compute::*;
use haploom::models::rbm::*;
use haploom::options::Options;
use haploom::panel::bits::BitMatrix;
use haploom::rng::*;
use haploom::threads::Threads;
use haploom::train::contrastive::*;
use rayon::prelude::*;
use std::io::{BufRead, Read};
use std::time::Instant;
fn read(p: &str) -> (BitMatrix, Vec<String>) {
    let mut s = String::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(p).unwrap()).read_to_string(&mut s).unwrap();
    let rows: Vec<(&str, Vec<bool>)> = s
        .lines()
        .map(|l| {
            let mut t = l.split_ascii_whitespace();
            t.next();
            let id = t.next().unwrap();
            (id, t.map(|x| x == "1").collect())
        })
        .collect();
    (
        BitMatrix::from_fn(rows.len(), rows[0].1.len(), |r, c| rows[r].1[c]).unwrap(),
        rows.iter().map(|r| r.0.trim_end_matches("_A").trim_end_matches("_B").to_string()).collect(),
    )
}
fn ham(a: &[u64], b: &[u64]) -> u32 {
    a.iter().zip(b).map(|(x, y)| (x ^ y).count_ones()).sum()
}
fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len() as f64;
    let (mx, my) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let (mut a, mut b, mut c) = (0., 0., 0.);
    for (p, q) in x.iter().zip(y) {
        a += (p - mx) * (q - my);
        b += (p - mx) * (p - mx);
        c += (q - my) * (q - my);
    }
    a / (b * c).sqrt()
}
fn ld(b: &BitMatrix) -> Vec<f64> {
    let t = b.transpose().unwrap();
    let n = b.rows() as f64;
    let f: Vec<f64> = (0..t.rows()).map(|i| t.count_row(i) as f64 / n).collect();
    (0..t.rows())
        .into_par_iter()
        .flat_map_iter(|i| {
            let t = &t;
            let f = &f;
            (i + 1..t.rows())
                .map(move |j| {
                    let c: u32 = t.row(i).iter().zip(t.row(j)).map(|(x, y)| (x & y).count_ones()).sum();
                    let d = c as f64 / n - f[i] * f[j];
                    let v = f[i] * (1. - f[i]) * f[j] * (1. - f[j]);
                    if v > 0. { d * d / v } else { f64::NAN }
                })
                .collect::<Vec<_>>()
        })
        .collect()
}
fn three(b: &BitMatrix, seed: u64) -> Vec<f64> {
    let t = b.transpose().unwrap();
    let n = b.rows() as f64;
    let mut r = Stream::new(seed, Purpose::Evaluate, 9).reader(0);
    let m = t.rows();
    let f = |i: usize| t.count_row(i) as f64 / n;
    let f2 =
        |i: usize, j: usize| t.row(i).iter().zip(t.row(j)).map(|(x, y)| (x & y).count_ones()).sum::<u32>() as f64 / n;
    (0..8000)
        .map(|_| {
            let v = r.choose(m, 3);
            let (i, j, k) = (v[0], v[1], v[2]);
            let f3 =
                (0..t.stride()).map(|w| (t.row(i)[w] & t.row(j)[w] & t.row(k)[w]).count_ones()).sum::<u32>() as f64 / n;
            f3 - f2(i, j) * f(k) - f2(i, k) * f(j) - f2(j, k) * f(i) + 2. * f(i) * f(j) * f(k)
        })
        .collect()
}
fn hist(a: &BitMatrix, b: &BitMatrix, same: bool) -> Vec<f64> {
    let m = a.columns() + 1;
    let h: Vec<Vec<u64>> = (0..a.rows())
        .into_par_iter()
        .map(|i| {
            let mut h = vec![0u64; m];
            for j in (if same { i + 1 } else { 0 })..b.rows() {
                h[ham(a.row(i), b.row(j)) as usize] += 1
            }
            h
        })
        .collect();
    let mut o = vec![0f64; m];
    for r in &h {
        for (x, y) in o.iter_mut().zip(r) {
            *x += *y as f64
        }
    }
    let s: f64 = o.iter().sum();
    o.iter_mut().for_each(|x| *x /= s);
    o
}
fn w1(a: &[f64], b: &[f64]) -> f64 {
    let (mut c, mut s) = (0., 0.);
    for (x, y) in a.iter().zip(b) {
        c += x - y;
        s += c.abs() as f64
    }
    s
}
fn aats(t: &BitMatrix, s: &BitMatrix) -> (f64, f64) {
    let n = t.rows();
    let nn = |a: &BitMatrix, b: &BitMatrix, same: bool| -> Vec<u32> {
        (0..n)
            .into_par_iter()
            .map(|i| (0..n).filter(|j| !same || *j != i).map(|j| ham(a.row(i), b.row(j))).min().unwrap())
            .collect()
    };
    let (tt, ts, st, ss) = (nn(t, t, true), nn(t, s, false), nn(s, t, false), nn(s, s, true));
    let m = |a: &[u32], b: &[u32]| a.iter().zip(b).filter(|(x, y)| x > y).count() as f64 / n as f64;
    (m(&ts, &tt), m(&st, &ss))
}
fn draw(b: &BitMatrix, n: usize, seed: u64) -> BitMatrix {
    let r = Stream::new(seed, Purpose::Evaluate, b.rows() as u64).reader(0).choose(b.rows(), n);
    b.select_rows(&r).unwrap()
}
pub fn report(
    tag: &str,
    t: &BitMatrix,
    s: &BitMatrix,
    e: Option<&BitMatrix>,
    labels: Option<&[usize]>,
    names: &[&str],
    full: bool,
) {
    let af = |b: &BitMatrix| -> Vec<f64> { b.count_columns().iter().map(|c| *c as f64 / b.rows() as f64).collect() };
    let (ft, fs) = (af(t), af(s));
    let mae = ft.iter().zip(&fs).map(|(a, b)| (a - b).abs()).sum::<f64>() / ft.len() as f64;
    let n = t.rows().min(s.rows()).min(if full { 2500 } else { 1500 });
    let draws = 1;
    let mut aa = (0., 0., 0., 0.);
    for d in 0..draws {
        let ss = draw(s, n, d);
        let a = aats(&draw(t, n, d + 100), &ss);
        aa.0 += a.0;
        aa.1 += a.1;
        if let Some(e) = e {
            let m = n.min(e.rows());
            let ss = draw(&ss, m, d);
            let ae = aats(&draw(e, m, d + 200), &ss);
            aa.2 += ae.0;
            aa.3 += ae.1;
        }
    }
    let dd = draws as f64;
    let mut o = format!("{tag} AFr {:.4} MAE {:.4} AA {:.3}/{:.3}", pearson(&ft, &fs), mae, aa.0 / dd, aa.1 / dd);
    if e.is_some() {
        o += &format!(" E {:.3}/{:.3} PL {:.4}", aa.2 / dd, aa.3 / dd, (aa.2 + aa.3 - aa.0 - aa.1) / 2. / dd)
    }
    let (lt, ls) = (ld(t), ld(s));
    let (a, b): (Vec<f64>, Vec<f64>) =
        lt.iter().zip(&ls).filter(|(x, y)| x.is_finite() && y.is_finite()).map(|(x, y)| (*x, *y)).unzip();
    o += &format!(" LDr {:.4}", pearson(&a, &b));
    o += &format!(" 3pt {:.4}", pearson(&three(t, 1), &three(s, 1)));
    let tt = hist(t, t, true);
    o += &format!(" W1 {:.2}", w1(&hist(s, s, true), &tt));
    if full {
        let k = s.rows();
        let set: std::collections::HashSet<&[u64]> = (0..t.rows()).map(|i| t.row(i)).collect();
        o += &format!(
            " btw {:.2} copies {}",
            w1(&hist(s, t, false), &tt),
            (0..k).filter(|i| set.contains(s.row(*i))).count()
        );
    }
    if let Some(l) = labels {
        let k = s.rows().min(1500);
        let c: Vec<usize> = (0..k)
            .into_par_iter()
            .map(|i| {
                let mut d: Vec<(u32, usize)> = (0..t.rows()).map(|j| (ham(s.row(i), t.row(j)), l[j])).collect();
                d.select_nth_unstable(5);
                let mut v = vec![0; names.len()];
                for x in &d[..5] {
                    v[x.1] += 1
                }
                (0..names.len()).max_by_key(|x| v[*x]).unwrap()
            })
            .collect();
        for (x, nm) in names.iter().enumerate() {
            o += &format!(
                " {nm} {:.1}({:.1})",
                100. * c.iter().filter(|y| **y == x).count() as f64 / k as f64,
                100. * l.iter().filter(|y| **y == x).count() as f64 / l.len() as f64
            )
        }
    }
    println!("{o}");
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let mode = &a[1];
    let mut o = Options::new();
    o.set_text(&a[2]).unwrap();
    let seed: u64 = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let dir = "/work/shared/data/";
    let (full, ids) = read(&format!("{dir}805_SNP_1000G_real.hapt.gz"));
    let sup: std::collections::HashMap<String, String> =
        std::io::BufReader::new(std::fs::File::open(format!("{dir}1000G_2504_samples.tsv")).unwrap())
            .lines()
            .map(|l| {
                let l = l.unwrap();
                let f: Vec<&str> = l.split('\t').collect();
                (f[0].into(), f[2].into())
            })
            .collect();
    let names = ["AFR", "AMR", "EAS", "EUR", "SAS"];
    let lab: Vec<usize> = ids
        .iter()
        .map(|i| names.iter().position(|n| sup.get(i).map_or("EUR", |v| v).contains(n)).unwrap_or(3))
        .collect();
    let test: std::collections::HashSet<String> =
        std::fs::read_to_string(format!("{dir}split_5050_seed42_test_samples.txt"))
            .unwrap()
            .lines()
            .map(|s| s.to_string())
            .collect();
    let (tr, te): (Vec<usize>, Vec<usize>) = (0..full.rows()).partition(|i| mode == "all" || !test.contains(&ids[*i]));
    let t = full.select_rows(&tr).unwrap();
    let e = if te.is_empty() { None } else { Some(full.select_rows(&te).unwrap()) };
    let l: Vec<usize> = tr.iter().map(|i| lab[*i]).collect();
    let th = Threads::new(std::env::var("T").ok().and_then(|s| s.parse().ok()).unwrap_or(2));
    let st = Settings::from_options(&o, seed);
    let every: u64 = std::env::var("EVERY").ok().and_then(|s| s.parse().ok()).unwrap_or(1000);
    let lad: u64 = std::env::var("LAD").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    let updates = st.updates;
    if let Some(e) = &e {
        report("BASE E", &t, e, None, Some(&l), &names, true);
    }
    let mut tr = Trainer::new(t.clone(), st, th.clone()).unwrap();
    let t0 = Instant::now();
    let mut spent = 0.;
    for u in 1..=updates {
        let q = Instant::now();
        if let Err(e) = tr.step() {
            println!("{e}");
            return;
        }
        spent += q.elapsed().as_secs_f64();
        if u % every == 0 || u == updates {
            let mut ch = tr.chains().clone();
            let mut hh = States::zeros(tr.device(), ch.rows(), tr.rbm.hidden_units()).unwrap();
            let mut s = ch.pack().unwrap();
            let mut pos = 0;
            while s.rows() < 2500 {
                let k = 40;
                tr.steps()
                    .sweep(
                        tr.device(),
                        &mut ch,
                        &mut hh,
                        k,
                        Noise { seed: 77, purpose: Purpose::Sample, first: 0, position: pos },
                    )
                    .unwrap();
                pos += k as u64 * tr.steps().words_per_sweep();
                s = s.stack(&ch.pack().unwrap()).unwrap();
            }
            let mut fe = |b: &BitMatrix| {
                let r: Vec<usize> = (0..b.rows()).collect();
                let mut st = States::zeros(tr.device(), b.rows(), b.columns()).unwrap();
                st.unpack(b, &r).unwrap();
                let mut o = vec![0.; b.rows()];
                tr.steps().free_energies(tr.device(), &st, &mut o).unwrap();
                o.iter().sum::<f64>() / o.len() as f64
            };
            let gap = e.as_ref().map_or(0., |e| fe(e) - fe(&t));
            let wm = tr.rbm.weights.iter().fold(0f32, |a, b| a.max(b.abs()));
            report(
                &format!(
                    "{} u{u} {spent:.0}s gap {gap:.1} wmax {wm:.2} rungs {}",
                    a.get(3).map_or("", |s| s),
                    tr.rungs.len()
                ),
                &t,
                &s,
                e.as_ref(),
                Some(&l),
                &names,
                true,
            );
        }
    }
    println!("total {:.1}", t0.elapsed().as_secs_f64());
    if lad > 0 {
        let f: Vec<f64> = t.count_columns().iter().map(|c| *c as f64 / t.rows() as f64).collect();
        let r0 = Rbm::independent(Hidden::Bernoulli, tr.rbm.hidden_units(), &f, t.rows());
        let mut rungs = vec![r0];
        rungs.extend(tr.rungs.iter().skip(1).cloned());
        rungs.push(tr.rbm.clone());
        use haploom::sample::tempering::*;
        let dr = Draws { seed: 5, first: 0, purpose: Purpose::Sample };
        let q = Instant::now();
        drop(refine(tr.device(), &mut rungs, 200, 5, 8, 0.3, dr).unwrap());
        println!("refined {} rungs {:.1}s", rungs.len(), q.elapsed().as_secs_f64());
        let lad = Ladder::new(tr.device(), &rungs).unwrap();
        let q = Instant::now();
        let mut rep = Replicas::climb(tr.device(), &lad, 1000, 10, dr).unwrap();
        let nb: usize = std::env::var("ROUNDS").ok().and_then(|s| s.parse().ok()).unwrap_or(5);
        for b in 0..nb {
            if b > 0 {
                for _ in 0..40 {
                    rep.round(tr.device(), &lad, 5, 99, dr).unwrap();
                }
            }
            println!(
                "PT rounds {} {:.1}s acc {:?}",
                b * 40,
                q.elapsed().as_secs_f64(),
                rep.acceptance.iter().map(|a| (a.0 / a.1 * 100.).round() / 100.).collect::<Vec<_>>()
            );
            report("PT", &t, &rep.states.last().unwrap().pack().unwrap(), e.as_ref(), Some(&l), &names, true);
        }
        for beta in [1.25f32, 1.5, 2., 3.] {
            let mut r = tr.rbm.clone();
            r.weights.iter_mut().for_each(|w| *w *= beta);
            r.visible_bias.iter_mut().for_each(|w| *w *= beta);
            let hs = HalfSteps::new(tr.device(), &r).unwrap();
            let mut v = tr.chains().clone();
            let mut h = States::zeros(tr.device(), v.rows(), tr.rbm.hidden_units()).unwrap();
            let mut s: Option<BitMatrix> = None;
            let mut pos = 0;
            while s.as_ref().map_or(0, |s| s.rows()) < 2500 {
                let k = 40;
                let nz = |pos| Noise { seed: 78, purpose: Purpose::Sample, first: 0, position: pos };
                tr.steps().sweep(tr.device(), &mut v, &mut h, k, nz(pos)).unwrap();
                pos += (k as u64) * tr.steps().words_per_sweep();
                let mut o = v.clone();
                tr.steps().sample_hidden(tr.device(), &v, &mut h, nz(pos)).unwrap();
                hs.sample_visible(tr.device(), &h, &mut o, nz(pos + 4096)).unwrap();
                pos += 1 << 16;
                let p = o.pack().unwrap();
                s = Some(match s {
                    None => p,
                    Some(x) => x.stack(&p).unwrap(),
                });
            }
            report(&format!("beta {beta}"), &t, &s.unwrap(), e.as_ref(), Some(&l), &names, true);
        }
        println!("rungs at {:?}", tr.placed);
    }
}
