//! Work that is done again and again: its launches become a graph, which the driver starts at once.

use super::kernels::{Arguments, Grid, Recorded, STATES};
use super::{Cuda, failed};
use crate::compute::Noise;
use crate::error::{Error, ErrorKind, Result};
use cudarc::driver::{CudaGraph, CudaSlice, DevicePtr, sys};
use std::sync::{Mutex, PoisonError};

/// Times that a graph does the work.
const TIMES: usize = 8;
/// Graphs that are kept: more than a tempering ladder has rungs.
const KEPT: usize = 1024;

struct Graph(CudaGraph);

// SAFETY: a graph is the driver's own handle, and it is used under a lock.
unsafe impl Send for Graph {}

/// Graphs of a device, by the launches that they hold, and where the random numbers of the next one begin.
#[derive(Default)]
pub(super) struct Graphs(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    graphs: Vec<(Vec<Recorded>, Graph)>,
    moved: Option<CudaSlice<u8>>,
}

impl Cuda {
    /// Does `work` so many times. Each time it reads its random numbers `words` further on.
    ///
    /// # Errors
    /// Those of the work; `OutOfDeviceMemory`, `DeviceFailed`.
    pub(in crate::compute) fn repeat(
        &self,
        times: usize,
        noise: Noise,
        words: u64,
        mut work: impl FnMut(Noise) -> Result<()>,
    ) -> Result<()> {
        let at = |time: usize| Noise { position: noise.position + time as u64 * words, ..noise };
        let in_graphs = times / TIMES * TIMES;
        // Others' launches are not to be kept among these.
        let _turn = self.turn();
        if in_graphs > 0 {
            let mut kept = self.inner.graphs.0.lock().unwrap_or_else(PoisonError::into_inner);
            let stream = self.stream();
            if kept.moved.is_none() {
                kept.moved = Some(stream.alloc_zeros::<u8>(8).map_err(failed("asking for memory"))?);
            }
            let Kept { graphs, moved: Some(moved) } = &mut *kept else {
                return Err(Error::new(ErrorKind::Internal, "no memory for a position"));
            };
            stream.memcpy_htod(&noise.position.to_le_bytes(), moved).map_err(failed("copying to the GPU"))?;
            // Positions from where `moved` says on: the launches are the same wherever the work begins.
            let (address, _guard) = moved.device_ptr(stream);
            let recording = self.record_from(address);
            let recorded =
                (0..TIMES).try_for_each(|time| work(Noise { position: time as u64 * words, ..noise })).and_then(|()| {
                    let arguments = Arguments::default().value(address).value(TIMES as u64 * words);
                    let grid = Grid { blocks: (1, 1), threads: 1, shared: 0 };
                    // SAFETY: as the kernel takes them.
                    unsafe { self.launch(&STATES, "move_noise", grid, arguments) }
                });
            let launches = recording.launches();
            recorded?;
            let place = match graphs.iter().position(|(held, _)| *held == launches) {
                Some(place) => place,
                None => {
                    if graphs.len() == KEPT {
                        self.finish()?;
                        graphs.remove(0);
                    }
                    let graph = self.captured(&launches)?;
                    graphs.push((launches, graph));
                    graphs.len() - 1
                }
            };
            for _ in 0..times / TIMES {
                graphs[place].1.0.launch().map_err(failed("launching a graph"))?;
            }
        }
        (in_graphs..times).try_for_each(|time| work(at(time)))
    }

    fn captured(&self, launches: &[Recorded]) -> Result<Graph> {
        let stream = self.stream();
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        stream.begin_capture(mode).map_err(failed("beginning a graph"))?;
        // SAFETY: the launches were made by callers of `launch`, who vouched for them.
        let launched = launches.iter().try_for_each(|launch| unsafe { self.launch_recorded(launch) });
        // The capture ends in any case.
        let graph = stream.end_capture(sys::CUgraphInstantiate_flags(0)).map_err(failed("making a graph"));
        launched?;
        graph?.map(Graph).ok_or_else(|| Error::new(ErrorKind::DeviceFailed, "the driver made no graph"))
    }
}
