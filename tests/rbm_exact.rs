//! The RBM and its trainer against what small machines allow to compute exactly.

use haploom::compute::{Buffer, Device, Noise, States};
use haploom::error::ErrorKind;
use haploom::models::conditional::conditionals;
use haploom::models::mixture::Mixture;
use haploom::models::rbm::{HalfSteps, Hidden, Rbm};
use haploom::models::{Generator, Model, ModelKind, Output, Provenance, SampledRbm, Start};
use haploom::options::Options;
use haploom::panel::Panel;
use haploom::panel::bits::BitMatrix;
use haploom::panel::sites::{Site, Sites};
use haploom::progress::Progress;
use haploom::rng::{Purpose, Stream};
use haploom::threads::Threads;
use haploom::train::contrastive::{Settings, Trainer};
use haploom::train::optimiser::{Moments, Rule};
use haploom::train::{TrainSettings, train};

const KINDS: [Hidden; 2] = [Hidden::Bernoulli, Hidden::Relu];

/// Parameters on the grid of the half-steps, so that the machine in doubles is the machine that is run.
fn machine(hidden: Hidden, sites: usize, units: usize, seed: u64) -> Rbm {
    let mut random = Stream::new(seed, Purpose::Initial, 9).reader(0);
    let mut numbers = |n: usize, size: f64| (0..n).map(|_| (size * random.normal()) as f32).collect::<Vec<_>>();
    let size = if hidden == Hidden::Relu { 0.5 } else { 1.0 };
    Rbm {
        hidden,
        weights: numbers(sites * units, size),
        visible_bias: numbers(sites, 0.7),
        hidden_bias: numbers(units, 0.5),
    }
    .rounded()
}

/// The machine in double precision.
struct Exact<'a>(&'a Rbm);

impl Exact<'_> {
    fn states(&self) -> usize {
        1 << self.0.sites()
    }

    fn input(&self, v: usize, j: usize) -> f64 {
        let units = self.0.hidden_units();
        let weight = |i: usize| f64::from(self.0.weights[i * units + j]);
        f64::from(self.0.hidden_bias[j]) + (0..self.0.sites()).filter(|i| v >> i & 1 == 1).map(weight).sum::<f64>()
    }

    /// The integral (or sum) over the states of a hidden unit of `h^power exp(h x)` (and `exp(-h^2 / 2)` for ReLU).
    fn moment(&self, x: f64, power: i32) -> f64 {
        match self.0.hidden {
            Hidden::Bernoulli => [0.0f64, 1.0].iter().map(|h| h.powi(power) * (h * x).exp()).sum(),
            Hidden::Relu => {
                let f = |h: f64| h.powi(power) * (h * x - 0.5 * h * h).exp();
                let step = (x.max(0.0) + 12.0) / 600.0;
                let simpson = |h: f64| (f(h) + 4.0 * f(h + step / 2.0) + f(h + step)) * step / 6.0;
                (0..600).map(|i| simpson(f64::from(i) * step)).sum()
            }
        }
    }

    fn mean(&self, v: usize, j: usize) -> f64 {
        let x = self.input(v, j);
        self.moment(x, 1) / self.moment(x, 0)
    }

    fn free_energy(&self, v: usize) -> f64 {
        let bias = |i: usize| f64::from(self.0.visible_bias[i]);
        let visible: f64 = (0..self.0.sites()).filter(|i| v >> i & 1 == 1).map(bias).sum();
        let hidden: f64 = (0..self.0.hidden_units()).map(|j| self.moment(self.input(v, j), 0).ln()).sum();
        -visible - hidden
    }

    fn distribution(&self) -> Vec<f64> {
        let weights: Vec<f64> = (0..self.states()).map(|v| (-self.free_energy(v)).exp()).collect();
        let z: f64 = weights.iter().sum();
        weights.iter().map(|w| w / z).collect()
    }

    /// `<v_i>`, `<m_j>`, `<v_i m_j>` under a distribution of visible states, one after the other.
    fn statistics(&self, distribution: &[f64]) -> Vec<f64> {
        let (sites, units) = (self.0.sites(), self.0.hidden_units());
        let mut out = vec![0.0; sites + units + sites * units];
        for (v, p) in distribution.iter().enumerate() {
            let means: Vec<f64> = (0..units).map(|j| self.mean(v, j)).collect();
            for j in 0..units {
                out[sites + j] += p * means[j];
            }
            for i in (0..sites).filter(|i| v >> i & 1 == 1) {
                out[i] += p;
                for j in 0..units {
                    out[sites + units + i * units + j] += p * means[j];
                }
            }
        }
        out
    }

    /// The distribution after one Gibbs sweep (Bernoulli units).
    fn sweep(&self, from: &[f64]) -> Vec<f64> {
        let (sites, units) = (self.0.sites(), self.0.hidden_units());
        let mut hidden = vec![0.0; 1 << units];
        for (v, p) in from.iter().enumerate() {
            for (h, out) in hidden.iter_mut().enumerate() {
                let factor = |j: usize| if h >> j & 1 == 1 { self.mean(v, j) } else { 1.0 - self.mean(v, j) };
                *out += p * (0..units).map(factor).product::<f64>();
            }
        }
        let mut visible = vec![0.0; from.len()];
        for (h, p) in hidden.iter().enumerate() {
            let on = |i: usize| {
                let weight = |j: usize| f64::from(self.0.weights[i * units + j]);
                let x =
                    f64::from(self.0.visible_bias[i]) + (0..units).filter(|j| h >> j & 1 == 1).map(weight).sum::<f64>();
                1.0 / (1.0 + (-x).exp())
            };
            let on: Vec<f64> = (0..sites).map(on).collect();
            for (v, out) in visible.iter_mut().enumerate() {
                let factor = |i: usize| if v >> i & 1 == 1 { on[i] } else { 1.0 - on[i] };
                *out += p * (0..sites).map(factor).product::<f64>();
            }
        }
        visible
    }
}

fn device() -> Device {
    Device::cpu(Threads::single())
}

fn all_states(sites: usize) -> States {
    let bits = BitMatrix::from_fn(1 << sites, sites, |r, c| r >> c & 1 == 1).unwrap();
    let mut states = States::zeros(&device(), 1 << sites, sites).unwrap();
    states.unpack(&bits, &(0..1 << sites).collect::<Vec<_>>()).unwrap();
    states
}

fn histogram(states: &States) -> Vec<f64> {
    let mut counts = vec![0.0; 1 << states.columns()];
    let rows = states.to_host().unwrap();
    for r in 0..states.rows() {
        counts[rows.row(r).iter().enumerate().map(|(i, s)| (*s as usize) << i).sum::<usize>()] += 1.0;
    }
    counts.iter().map(|c| c / states.rows() as f64).collect()
}

fn kl(p: &[f64], q: &[f64]) -> f64 {
    p.iter().zip(q).filter(|(p, _)| **p > 0.0).map(|(p, q)| p * (p / q).ln()).sum()
}

#[test]
fn free_energies_agree_with_enumeration_over_hidden_states() {
    for hidden in KINDS {
        let rbm = machine(hidden, 7, 5, 1);
        let exact = Exact(&rbm);
        let steps = HalfSteps::new(&device(), &rbm).unwrap();
        let found = steps.free_energies(&device(), &all_states(7)).unwrap().to_host().unwrap().into_owned();
        for (v, found) in found.iter().enumerate() {
            assert!((found - exact.free_energy(v)).abs() < 2e-5 * 5.0, "{hidden:?}, haplotype {v}");
        }
        if hidden == Hidden::Bernoulli {
            // And from the energies of all joint states, without any sum over a unit done by hand.
            for (v, found) in found.iter().enumerate() {
                let joint: f64 = (0..32usize)
                    .map(|h| {
                        let visible =
                            (0..7).filter(|i| v >> i & 1 == 1).map(|i| f64::from(rbm.visible_bias[i])).sum::<f64>();
                        let rest = (0..5).filter(|j| h >> j & 1 == 1).map(|j| exact.input(v, j)).sum::<f64>();
                        (visible + rest).exp()
                    })
                    .sum();
                assert!((found + joint.ln()).abs() < 1e-5);
            }
        }
    }
}

/// Means are kept in steps of 2^-14 (Bernoulli) and 2^-9 (ReLU): half a step, and the rounding of the function.
#[test]
fn conditional_means_agree_with_enumeration() {
    for (hidden, tolerance) in KINDS.into_iter().zip([0.51 / 16_384.0, 1.5e-3]) {
        let rbm = machine(hidden, 7, 5, 2);
        let steps = HalfSteps::new(&device(), &rbm).unwrap();
        let mut means = States::zeros(&device(), 128, 5).unwrap();
        steps.hidden_means(&device(), &all_states(7), &mut means).unwrap();
        let means = means.to_host().unwrap();
        for v in 0..128 {
            for (j, mean) in means.row(v).iter().enumerate() {
                let (found, expected) = (f64::from(*mean) * steps.mean_step(), Exact(&rbm).mean(v, j));
                assert!((found - expected).abs() < tolerance, "{hidden:?}, haplotype {v}: {found} {expected}");
            }
        }
    }
}

/// 40,000 chains, 60 sweeps from zeros, on 4 sites: chi-square with 15 degrees of freedom below 44.3 (false alarm 1e-4).
#[test]
fn gibbs_sweeps_have_the_exact_stationary_distribution() {
    for hidden in KINDS {
        let mut rbm = machine(hidden, 4, 3, 3);
        // Weaker, so that 60 sweeps forget the start.
        rbm.weights.iter_mut().for_each(|w| *w *= 0.75);
        let rbm = rbm.rounded();
        let n = 40_000;
        let mut visible = States::zeros(&device(), n, 4).unwrap();
        let mut units = States::zeros(&device(), n, 3).unwrap();
        let noise = Noise { seed: 1, purpose: Purpose::Sample, first: 0, position: 0 };
        HalfSteps::new(&device(), &rbm).unwrap().sweep(&device(), &mut visible, &mut units, 60, noise).unwrap();
        let expected = Exact(&rbm).distribution();
        let found = histogram(&visible);
        let chi: f64 = found.iter().zip(&expected).map(|(f, e)| n as f64 * (f - e).powi(2) / e).sum();
        assert!(chi < 44.3, "{hidden:?}: chi-square {chi}");
    }
}

/// dF/dW_ij = -v_i m_j, dF/db_i = -v_i, dF/dc_j = -m_j, by central differences of 2^-6 (a multiple of the grid).
#[test]
fn finite_differences_of_free_energies_are_the_statistics() {
    const H: f32 = 1.0 / 64.0;
    let (sites, units) = (5, 3);
    let data = all_states(sites);
    for hidden in KINDS {
        let rbm = machine(hidden, sites, units, 4);
        let mean_free_energy = |rbm: &Rbm| -> f64 {
            let energies = HalfSteps::new(&device(), rbm).unwrap().free_energies(&device(), &data).unwrap();
            let energies = energies.to_host().unwrap();
            energies.iter().sum::<f64>() / energies.len() as f64
        };
        let statistics = Exact(&rbm).statistics(&vec![1.0 / 32.0; 32]);
        for (p, statistic) in statistics.iter().enumerate() {
            let moved = |by: f32| {
                let mut rbm = rbm.clone();
                match p {
                    p if p < sites => rbm.visible_bias[p] += by,
                    p if p < sites + units => rbm.hidden_bias[p - sites] += by,
                    p => rbm.weights[p - sites - units] += by,
                }
                mean_free_energy(&rbm)
            };
            let slope = (moved(H) - moved(-H)) / f64::from(2.0 * H);
            assert!((slope + statistic).abs() < 1e-3, "{hidden:?}, parameter {p}: {slope} {statistic}");
        }
    }
}

const SITES: usize = 5;
const UNITS: usize = 3;

/// 1,000 haplotypes of a planted machine whose sites alone say little: 0.2 nats lie in the interactions.
fn planted() -> BitMatrix {
    let weights = [[2.5, -2.0, 0.0], [2.0, 2.0, -2.0], [-2.5, 2.0, 2.0], [0.0, 2.5, -2.5], [2.0, 0.0, 2.5f32]];
    let half = |sum: f32| -0.5 * sum;
    let shift = [0.4, -0.3, 0.2, -0.5, 0.1];
    let rbm = Rbm {
        hidden: Hidden::Bernoulli,
        weights: weights.concat(),
        visible_bias: (0..SITES).map(|i| half(weights[i].iter().sum()) + shift[i]).collect(),
        hidden_bias: (0..UNITS).map(|j| half(weights.iter().map(|w| w[j]).sum())).collect(),
    };
    let p = Exact(&rbm).distribution();
    let mut random = Stream::new(4, Purpose::Evaluate, 0).reader(0);
    let rows: Vec<usize> = (0..1000)
        .map(|_| {
            let mut u = random.uniform();
            p.iter().position(|p| (u < *p, u -= p).0).unwrap_or(p.len() - 1)
        })
        .collect();
    BitMatrix::from_fn(rows.len(), SITES, |r, c| rows[r] >> c & 1 == 1).unwrap()
}

fn distribution_of(bits: &BitMatrix) -> Vec<f64> {
    let mut states = States::zeros(&device(), bits.rows(), bits.columns()).unwrap();
    states.unpack(bits, &(0..bits.rows()).collect::<Vec<_>>()).unwrap();
    histogram(&states)
}

fn settings(text: &str) -> Settings {
    let mut options = Options::new();
    options
        .set_text("hidden_type=bernoulli,hidden=3,learning_rate=0.05,l2=0,batch=1000,chains=1000,updates=800,k=3,clusters=1,sweeps=60").unwrap();
    options.set_text(text).unwrap();
    Settings::new(&options, 3, 1000, SITES)
}

fn trained(text: &str) -> Trainer {
    let mut trainer = Trainer::new(planted(), settings(text), &Device::cpu(Threads::single())).unwrap();
    while !trainer.is_done() {
        trainer.step().unwrap();
    }
    trainer
}

fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// At a maximum of the likelihood the machine's moments `<v>`, `<m>`, `<v m>` are the data's: here within 0.015 (0.06 for
/// ReLU, whose means are not bounded by 1), computed exactly for the machine that was learned.
#[track_caller]
fn reaches_the_data(text: &str) {
    let data = distribution_of(&planted());
    let trainer = trained(text);
    let rbm = trainer.rbm().unwrap().rounded();
    let exact = Exact(&rbm);
    let model = exact.distribution();
    let frequencies: Vec<f64> =
        (0..SITES).map(|i| (0..32).filter(|v| v >> i & 1 == 1).map(|v| data[v]).sum()).collect();
    let alone = Rbm::independent(Hidden::Bernoulli, UNITS, &frequencies, 1000);
    let (before, after) = (kl(&data, &Exact(&alone).distribution()), kl(&data, &model));
    let off = largest_difference(&exact.statistics(&data), &exact.statistics(&model));
    println!("{text}: KL {before:.4} of sites alone, {after:.4} learned; moments off by {off:.4}");
    assert!(before > 0.1, "{text}: the data are too easy: {before}");
    // Three ReLU units hold less of what Bernoulli units planted.
    let (most_kl, most_off) = if text.contains("relu") { (0.1, 0.06) } else { (0.015, 0.015) };
    assert!(after < most_kl, "{text}: KL {after}");
    assert!(off < most_off, "{text}: moments off by {off}");
}

#[test]
fn persistent_chains_with_sgd_reach_the_data() {
    reaches_the_data("method=pcd,learning_rate=1");
}

#[test]
fn uncentred_gradients_reach_the_data() {
    reaches_the_data("method=pcd,learning_rate=0.7,centred=false,updates=1200");
}

#[test]
fn momentum_reaches_the_data() {
    reaches_the_data("method=pcd,learning_rate=0.2,momentum=0.8");
}

#[test]
fn adam_reaches_the_data() {
    reaches_the_data("method=pcd,optimiser=adam,learning_rate=0.03");
}

#[test]
fn renewed_chains_reach_the_data() {
    reaches_the_data("method=renewed,learning_rate=1");
}

#[test]
fn relu_units_reach_the_data() {
    reaches_the_data("method=pcd,hidden_type=relu,learning_rate=0.3");
}

/// Rdm-k learns that the states k sweeps after random bits have the data's moments, whatever the equilibrium is: the
/// distribution after exactly 2 sweeps from uniform bits, by the exact transition matrix, has them within 0.03.
#[test]
fn random_starts_learn_the_distribution_after_k_sweeps() {
    let trainer = trained("method=rdm,k=2,learning_rate=1");
    let rbm = trainer.rbm().unwrap().rounded();
    let exact = Exact(&rbm);
    let data = distribution_of(&planted());
    let shown = exact.sweep(&exact.sweep(&vec![1.0 / 32.0; 32]));
    let off = largest_difference(&exact.statistics(&data), &exact.statistics(&shown));
    assert!(off < 0.03, "moments off by {off}");
    assert!(kl(&data, &shown) < 0.04, "KL {}", kl(&data, &shown));
}

/// The first step of plain SGD with rate 1 is the gradient: from the data and the chains after the step, in doubles.
/// The centred step is its known linear map, and goes uphill with it.
#[test]
fn a_step_is_the_gradient_centred_or_not() {
    for (kind, tolerance) in [("bernoulli", 2e-4), ("relu", 2e-3)] {
        let step = |centred: bool| {
            let text = format!("method=pcd,learning_rate=1,updates=2,centred={centred},hidden_type={kind}");
            let mut trainer = Trainer::new(planted(), settings(&text), &Device::cpu(Threads::single())).unwrap();
            let before = trainer.rbm().unwrap();
            trainer.step().unwrap();
            let after = trainer.rbm().unwrap();
            let moved = |a: &[f32], b: &[f32]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| f64::from(a - b)).collect() };
            let mut change = moved(&after.visible_bias, &before.visible_bias);
            change.extend(moved(&after.hidden_bias, &before.hidden_bias));
            change.extend(moved(&after.weights, &before.weights));
            (before.rounded(), histogram(trainer.chains()), change)
        };
        let (rbm, chains, plain) = step(false);
        let (_, same_chains, centred) = step(true);
        assert_eq!(chains, same_chains);
        let exact = Exact(&rbm);
        let (data, model) = (exact.statistics(&distribution_of(&planted())), exact.statistics(&chains));
        let gradient: Vec<f64> = data.iter().zip(&model).map(|(d, m)| d - m).collect();
        assert!(largest_difference(&plain, &gradient) < tolerance, "{kind}: {plain:?} {gradient:?}");
        // W' = W - v0 c - b h0, b' = b - W' h0, c' = c - v0 W' with the data's means v0, h0.
        let (b, rest) = gradient.split_at(SITES);
        let (c, w) = rest.split_at(UNITS);
        let (v0, h0) = (&data[..SITES], &data[SITES..SITES + UNITS]);
        let mut expected = gradient.clone();
        for i in 0..SITES {
            for j in 0..UNITS {
                let g = w[i * UNITS + j] - v0[i] * c[j] - b[i] * h0[j];
                expected[SITES + UNITS + i * UNITS + j] = g;
                expected[i] -= g * h0[j];
                expected[SITES + j] -= v0[i] * g;
            }
        }
        assert!(largest_difference(&centred, &expected) < 3.0 * tolerance, "{kind}: {centred:?} {expected:?}");
        let uphill: f64 = gradient.iter().zip(&centred).map(|(g, c)| g * c).sum();
        assert!(uphill > 0.0);
    }
}

#[test]
fn steps_of_optimisers_are_those_of_their_definitions() {
    let mut random = Stream::new(8, Purpose::Evaluate, 0).reader(0);
    let n = 20_000;
    for rule in [Rule::Sgd { momentum: 0.0 }, Rule::Sgd { momentum: 0.9 }, Rule::Adam] {
        let device = Device::cpu(Threads::new(2));
        let mut moments = Moments::new(&device, rule, n).unwrap();
        let mut parameters = Buffer::zeros(&device, n).unwrap();
        let (mut p, mut first, mut second) = (vec![0.0f64; n], vec![0.0f64; n], vec![0.0f64; n]);
        for step in 1..=20u64 {
            let gradient: Vec<f32> = (0..n).map(|_| random.normal() as f32).collect();
            let on_device = Buffer::upload(&device, gradient.clone()).unwrap();
            moments.ascend(&device, &mut parameters, &on_device, 0.01, step).unwrap();
            for i in 0..n {
                let g = f64::from(gradient[i]);
                match rule {
                    Rule::Sgd { momentum } => {
                        first[i] = f64::from(momentum) * first[i] + g;
                        p[i] += 0.01 * first[i];
                    }
                    Rule::Adam => {
                        first[i] = 0.9 * first[i] + 0.1 * g;
                        second[i] = 0.999 * second[i] + 0.001 * g * g;
                        let corrected = |m: f64, beta: f64| m / (1.0 - beta.powi(step as i32));
                        p[i] += 0.01 * corrected(first[i], 0.9) / (corrected(second[i], 0.999).sqrt() + 1e-8);
                    }
                }
            }
        }
        let parameters = parameters.to_host().unwrap();
        let worst = parameters.iter().zip(&p).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-4, "{rule:?}: {worst}");
    }
}

/// What a machine expects of a site given the others is the ratio of two terms of its enumerated distribution.
#[test]
fn conditionals_are_those_of_the_enumerated_distribution() {
    for hidden in KINDS {
        let rbm = machine(hidden, 7, 4, 3);
        let distribution = Exact(&rbm).distribution();
        let bits = BitMatrix::from_fn(1 << 7, 7, |v, i| v >> i & 1 == 1).unwrap();
        let site = |i: u64| Site {
            contig: "1".into(),
            position: i + 1,
            id: "".into(),
            reference: "A".into(),
            alternate: "C".into(),
        };
        let model = Model {
            sites: Sites::new((0..7).map(site).collect()).unwrap(),
            generator: Generator::Rbm(Box::new(SampledRbm {
                output: Output { sharpness: 1.0, bias: rbm.visible_bias.clone() },
                mixture: Mixture { shares: vec![1.0], log_odds: vec![0.0; 7] },
                ladder: Vec::new(),
                start: Start::Mixture,
                sweeps: 1,
                rbm,
            })),
            provenance: Provenance::default(),
        };
        for threads in [1, 3] {
            let mut found = vec![0.0; 7 << 7];
            conditionals(&model, &bits, &mut found, &Threads::new(threads), &mut Progress::none()).unwrap();
            for v in 0..1usize << 7 {
                for i in 0..7 {
                    let (on, off) = (distribution[v | 1 << i], distribution[v & !(1 << i)]);
                    let p = on / (on + off);
                    assert!(
                        (f64::from(found[7 * v + i]) - p).abs() < 2e-5,
                        "{hidden:?} {v} {i}: {} {p}",
                        found[7 * v + i]
                    );
                }
            }
        }
        assert!(conditionals(&model, &bits, &mut [0.0; 3], &Threads::single(), &mut Progress::none()).is_err());
    }
}

/// Steps far too large end in `Diverged`, and never in a model of what is no number.
#[test]
fn divergence_is_an_error() {
    let bits = BitMatrix::from_fn(60, 20, |r, c| (r * 7 + c * c) % 3 == 0 || r % 5 == c % 5).unwrap();
    let site = |i: u64| Site {
        contig: "1".into(),
        position: i + 1,
        id: ".".into(),
        reference: "A".into(),
        alternate: "C".into(),
    };
    let panel = Panel::artificial(Sites::new((0..20).map(site).collect()).unwrap(), bits, "P").unwrap();
    for text in [
        "optimiser=adam,learning_rate=10",
        "optimiser=adam,learning_rate=10,hidden_type=relu",
        "learning_rate=10,momentum=0.99,hidden_type=relu",
        "learning_rate=10,momentum=0.999,centred=false,hidden_type=relu,method=rdm",
    ] {
        let mut options = Options::new();
        options.set_text("hidden=6,batch=60,chains=30,k=1,sweeps=4,updates=300").unwrap();
        options.set_text(text).unwrap();
        let e = train(&panel, ModelKind::Rbm, &options, &TrainSettings::default(), &mut Progress::none()).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Diverged, "{text}: {e}");
        assert!(e.to_string().contains("learning_rate"), "{e}");
    }
}

/// A machine with a parameter that is no number, or out of range, is laid out nowhere.
#[test]
fn machines_out_of_range_are_refused() {
    for bad in [f32::NAN, f32::INFINITY, 8.01, -9.0] {
        for hidden in KINDS {
            let mut rbm = machine(hidden, 4, 3, 5);
            rbm.weights[7] = bad;
            assert_eq!(HalfSteps::new(&device(), &rbm).unwrap_err().kind(), ErrorKind::Diverged);
        }
    }
    let mut rbm = machine(Hidden::Bernoulli, 4, 3, 5);
    rbm.hidden_bias[1] = f32::NAN;
    assert_eq!(rbm.check().unwrap_err().kind(), ErrorKind::Diverged);
}

/// The mixture's marginal frequencies are those of its definition.
#[test]
fn marginal_log_odds_are_those_of_the_mixture() {
    let mixture = Mixture { shares: vec![0.25, 0.75], log_odds: vec![1.0, -2.0, 0.5, -1.0, 2.0, 0.5] };
    let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
    for (i, found) in mixture.marginal_log_odds().iter().enumerate() {
        let f = 0.25 * logistic(f64::from(mixture.log_odds[i])) + 0.75 * logistic(f64::from(mixture.log_odds[3 + i]));
        assert!((logistic(f64::from(*found)) - f).abs() < 1e-6);
    }
}
