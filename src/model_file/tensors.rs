//! Named tensors and one JSON text in a safetensors file.

use crate::error::{Error, ErrorKind, Result};
use half::bf16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::HashMap;

/// The one key of the file's metadata. One, because their order would not be fixed.
const KEY: &str = "haploom";

/// Tensors to be written.
#[derive(Default)]
pub struct TensorWriter {
    tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)>,
}

impl TensorWriter {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn add(&mut self, name: &str, dtype: Dtype, shape: &[usize], bytes: Vec<u8>) {
        self.tensors.push((name.to_string(), dtype, shape.to_vec(), bytes));
    }

    /// 32-bit numbers.
    pub fn f32(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        self.add(name, Dtype::F32, shape, values.iter().flat_map(|v| v.to_le_bytes()).collect());
    }

    /// 32-bit numbers kept in 16 bits (bfloat16).
    pub fn bf16(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let bytes = values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect();
        self.add(name, Dtype::BF16, shape, bytes);
    }

    /// 64-bit numbers.
    pub fn f64(&mut self, name: &str, shape: &[usize], values: &[f64]) {
        self.add(name, Dtype::F64, shape, values.iter().flat_map(|v| v.to_le_bytes()).collect());
    }

    /// Whole numbers of 8 bits.
    pub fn u8(&mut self, name: &str, shape: &[usize], values: Vec<u8>) {
        self.add(name, Dtype::U8, shape, values);
    }

    /// Whole numbers of 32 bits.
    pub fn u32(&mut self, name: &str, shape: &[usize], values: &[u32]) {
        self.add(name, Dtype::U32, shape, values.iter().flat_map(|v| v.to_le_bytes()).collect());
    }

    /// Whole numbers of 64 bits.
    pub fn u64(&mut self, name: &str, shape: &[usize], values: &[u64]) {
        self.add(name, Dtype::U64, shape, values.iter().flat_map(|v| v.to_le_bytes()).collect());
    }

    /// UTF-8 text.
    pub fn text(&mut self, name: &str, text: &str) {
        self.add(name, Dtype::U8, &[text.len()], text.as_bytes().to_vec());
    }

    /// The file's bytes; the same tensors and text give the same bytes.
    ///
    /// # Errors
    /// `Internal` if the tensors contradict themselves.
    pub fn finish(self, json: &serde_json::Value) -> Result<Vec<u8>> {
        let internal =
            |e: safetensors::SafeTensorError| Error::new(ErrorKind::Internal, format!("cannot lay out tensors: {e}"));
        let mut views = Vec::with_capacity(self.tensors.len());
        for (name, dtype, shape, bytes) in &self.tensors {
            views.push((name.as_str(), TensorView::new(*dtype, shape.clone(), bytes).map_err(internal)?));
        }
        let metadata = HashMap::from([(KEY.to_string(), json.to_string())]);
        safetensors::serialize(views, Some(metadata)).map_err(internal)
    }
}

/// Tensors read from a file's bytes.
pub struct TensorReader<'a> {
    tensors: SafeTensors<'a>,
    /// The JSON text.
    pub json: serde_json::Value,
}

fn corrupt(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::ModelCorrupt, what).remedy("the file is damaged: copy it again, or train again")
}

impl<'a> TensorReader<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// `NotAModel` if this is no safetensors file with Haploom's text, `ModelCorrupt` if it is one and broken.
    pub fn new(bytes: &'a [u8]) -> Result<Self> {
        let not = || {
            Error::new(ErrorKind::NotAModel, "this is not a file that haploom wrote: no model and no checkpoint")
                .remedy("make one with `haploom train`")
        };
        // A safetensors file begins with the length of its header and an opening brace.
        if bytes.len() < 9 || bytes[8] != b'{' {
            return Err(not());
        }
        let (_, metadata) = SafeTensors::read_metadata(bytes)
            .map_err(|e| corrupt(format!("the file's header does not fit its contents ({e})")))?;
        let text = metadata.metadata().as_ref().and_then(|m| m.get(KEY)).ok_or_else(not)?;
        let json =
            serde_json::from_str(text).map_err(|e| corrupt(format!("the file's description is broken ({e})")))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| corrupt(format!("the tensors are broken ({e})")))?;
        Ok(TensorReader { tensors, json })
    }

    fn bytes(&self, name: &str, dtype: Dtype, shape: &[usize]) -> Result<&'a [u8]> {
        let view = self.tensors.tensor(name).map_err(|_| corrupt(format!("tensor {name} is missing")))?;
        match view.dtype() == dtype && view.shape() == shape {
            true => Ok(view.data()),
            false => Err(corrupt(format!(
                "tensor {name} is {:?} {:?} where {dtype:?} {shape:?} was expected",
                view.dtype(),
                view.shape()
            ))),
        }
    }

    /// The length of a tensor of one dimension.
    ///
    /// # Errors
    /// `ModelCorrupt` if it is missing or has another shape.
    pub fn length(&self, name: &str) -> Result<usize> {
        let view = self.tensors.tensor(name).map_err(|_| corrupt(format!("tensor {name} is missing")))?;
        match view.shape() {
            [n] => Ok(*n),
            shape => Err(corrupt(format!("tensor {name} has shape {shape:?}"))),
        }
    }

    /// The rows of a tensor of two dimensions.
    ///
    /// # Errors
    /// `ModelCorrupt` if it is missing or has another shape.
    pub fn rows(&self, name: &str) -> Result<usize> {
        let view = self.tensors.tensor(name).map_err(|_| corrupt(format!("tensor {name} is missing")))?;
        match view.shape() {
            [rows, _] => Ok(*rows),
            shape => Err(corrupt(format!("tensor {name} has shape {shape:?}"))),
        }
    }

    /// 32-bit numbers, all finite.
    ///
    /// # Errors
    /// `ModelCorrupt` if the tensor is missing, has another type or shape, or holds what is no number.
    pub fn f32(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let values = words(self.bytes(name, Dtype::F32, shape)?, f32::from_le_bytes);
        finite(name, values, |v: &f32| v.is_finite())
    }

    /// 16-bit numbers (bfloat16), all finite.
    ///
    /// # Errors
    /// As [`TensorReader::f32`].
    pub fn bf16(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let values = words(self.bytes(name, Dtype::BF16, shape)?, |b| bf16::from_le_bytes(b).to_f32());
        finite(name, values, |v: &f32| v.is_finite())
    }

    /// 64-bit numbers, all finite.
    ///
    /// # Errors
    /// As [`TensorReader::f32`].
    pub fn f64(&self, name: &str, shape: &[usize]) -> Result<Vec<f64>> {
        let values = words(self.bytes(name, Dtype::F64, shape)?, f64::from_le_bytes);
        finite(name, values, |v: &f64| v.is_finite())
    }

    /// Whole numbers of 8 bits.
    ///
    /// # Errors
    /// As [`TensorReader::f32`].
    pub fn u8(&self, name: &str, shape: &[usize]) -> Result<&'a [u8]> {
        self.bytes(name, Dtype::U8, shape)
    }

    /// Whole numbers of 32 bits.
    ///
    /// # Errors
    /// As [`TensorReader::f32`].
    pub fn u32(&self, name: &str, shape: &[usize]) -> Result<Vec<u32>> {
        Ok(words(self.bytes(name, Dtype::U32, shape)?, u32::from_le_bytes))
    }

    /// Whole numbers of 64 bits.
    ///
    /// # Errors
    /// As [`TensorReader::f32`].
    pub fn u64(&self, name: &str, shape: &[usize]) -> Result<Vec<u64>> {
        Ok(words(self.bytes(name, Dtype::U64, shape)?, u64::from_le_bytes))
    }

    /// UTF-8 text.
    ///
    /// # Errors
    /// As [`TensorReader::f32`].
    pub fn text(&self, name: &str) -> Result<&'a str> {
        let bytes = self.bytes(name, Dtype::U8, &[self.length(name)?])?;
        std::str::from_utf8(bytes).map_err(|_| corrupt(format!("tensor {name} is no text")))
    }

    /// A text of the description.
    ///
    /// # Errors
    /// `ModelCorrupt` if it is missing.
    pub fn json_text(&self, key: &str) -> Result<&str> {
        self.json[key].as_str().ok_or_else(|| corrupt(format!("the description lacks '{key}'")))
    }

    /// A whole number of the description.
    ///
    /// # Errors
    /// `ModelCorrupt` if it is missing.
    pub fn json_whole(&self, key: &str) -> Result<u64> {
        self.json[key].as_u64().ok_or_else(|| corrupt(format!("the description lacks '{key}'")))
    }
}

fn words<const N: usize, T>(bytes: &[u8], from: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|b| from(*b)).collect()
}

fn finite<T>(name: &str, values: Vec<T>, is_finite: impl Fn(&T) -> bool) -> Result<Vec<T>> {
    match values.iter().all(is_finite) {
        true => Ok(values),
        false => Err(corrupt(format!("tensor {name} holds what is no number"))),
    }
}

/// An error of a file that contradicts itself.
pub(crate) fn contradiction(what: impl Into<String>) -> Error {
    corrupt(what)
}
