//! `haploom demo`: the whole way on an embedded panel, by the commands that a user would type.

use super::CommandLine;
use super::output::print;
use super::panel_args::WorkArgs;
use super::terminal::Terminal;
use crate::compute::DeviceChoice;
use crate::demo::{PANEL, PEOPLE};
use crate::error::{Error, Result};
use crate::io::{self, ReadOptions, WriteOptions};
use clap::{Args, Parser};
use std::path::PathBuf;

/// A small machine that is trained in some seconds.
const TRAINING: &str = "batch=100,chains=200,l2=0.1,epochs=200";

/// Arguments of `demo`.
#[derive(Args)]
#[command(after_help = "\
The panel is simulated (assets/simulate.py in the source): 900 people of three populations, 800
sites on 4 Mb. A third of them is held out for the evaluation. The commands are printed as they
run. Files of the same names in DIR are replaced.

Example:
  haploom demo /tmp/haploom-demo")]
pub struct Demo {
    /// Folder to write into; made if it is not there
    dir: PathBuf,
    #[command(flatten)]
    work: WorkArgs,
}

impl Demo {
    /// Writes the panel, then trains, samples and evaluates.
    ///
    /// # Errors
    /// Those of the commands.
    pub fn run(self, terminal: &mut Terminal) -> Result<()> {
        std::fs::create_dir_all(&self.dir).map_err(|e| Error::io("make the folder", &self.dir, &e))?;
        let path = |name: &str| self.dir.join(name);
        let [panel, people, held_out] = ["panel.bcf", "people.tsv", "held_out.txt"].map(path);
        let [model, artificial, json] = ["model.safetensors", "artificial.bcf", "evaluation.json"].map(path);
        let names: String = PEOPLE
            .lines()
            .filter_map(|line| line.strip_suffix("\theld_out")?.split('\t').next())
            .map(|name| format!("{name}\n"))
            .collect();
        io::write_bytes(&people, PEOPLE.as_bytes())?;
        io::write_bytes(&held_out, names.as_bytes())?;
        io::write_bytes(&panel, PANEL)?;
        // Once more through the writer, for the index.
        io::write_panel(&panel, &io::read_panel(&panel, &ReadOptions::default())?.panel, &WriteOptions::default())?;
        terminal.say(format!("{} holds 900 simulated people of three populations at 800 sites", panel.display()));

        let text = |path: &PathBuf| path.to_string_lossy().into_owned();
        let (people_out, held_out) = (format!("^{}", text(&held_out)), text(&held_out));
        let (panel, model, artificial) = (text(&panel), text(&model), text(&artificial));
        let (people, json) = (text(&people), text(&json));
        let commands: [&[&str]; 3] = [
            &["train", &panel, "-S", &people_out, "--set", TRAINING, "-o", &model],
            &["sample", &model, "-n", "1200", "-o", &artificial],
            &["evaluate", &panel, &artificial, "--test-samples", &held_out, "--labels", &people, "--json", &json],
        ];
        let (threads, device) = (self.work.threads.to_string(), self.work.device.to_string());
        let mut work: Vec<&str> = Vec::new();
        if self.work.threads > 0 {
            work.extend(["--threads", &threads]);
        }
        if self.work.device != DeviceChoice::Cpu {
            work.extend(["--device", &device]);
        }
        for command in commands {
            let command = &[command, &work[..]].concat();
            terminal.say(format!("$ haploom {}", command.join(" ")));
            let line = CommandLine::try_parse_from(["haploom"].iter().chain(command))
                .map_err(|e| Error::new(crate::ErrorKind::Internal, e.to_string()))?;
            super::dispatch(line.command, terminal)?;
        }
        if terminal.is_quiet() {
            return Ok(());
        }
        print(&format!(
            "\n\
             The artificial people are in {artificial} (indexed), the model in {model}, the numbers in {json}.\n\
             The floor of each number is what as many held-out people reach: as good as more real people.\n\n\
             Look at them:\n  \
             bcftools view -H {artificial} | less -S\n  \
             haploom info {model}\n\
             Go on:\n  \
             haploom augment {panel} {model} -n 400 -o larger.bcf\n  \
             haploom encode {model} {panel} --labels {people} -o codes.tsv\n  \
             haploom train YOUR_PANEL.vcf.gz -o your.safetensors\n"
        ))
    }
}
