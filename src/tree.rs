//! Describing a result that is more than one value: as values in prefix order, a container before its children.
//!
//! What an object is decides its description: numbers, text, bytes and containers are looked at here; the rest
//! (dates, decimals, enums, data classes, pandas …) is put into simpler terms by `gophersnake.values`. A plan from
//! the host says where it expects something else than that: a reference, named fields, or the items of an object
//! array.
#![expect(unsafe_code, reason = "hands out boxes as raw pointers and takes them back")]

use std::ptr::null_mut;

use pyo3::exceptions::{PyMemoryError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyComplex, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PyMemoryView, PySet,
    PyString, PyTuple,
};

use crate::array::{self, Dtype};
use crate::boundary::{Failure, slice};
use crate::error::{ErrorCode, type_name};
use crate::object::{self, Object};
use crate::value::{Kind, MAX_DEPTH, MAX_VALUES, Value, small_int, utf8};
use crate::{callback, package};

/// A result of more than one value. Its owner reads it and ends it with `snake_tree_free`.
#[repr(C)]
#[derive(Debug)]
pub struct Tree {
    /// The values, in prefix order. The owner may set the `bits` of an `OBJECT` to 0, and then owns the reference
    /// itself.
    pub values: *mut Value,
    /// How many values there are.
    pub values_len: usize,
    /// What the positions of texts and bytes count in.
    pub bytes: *const u8,
    /// How many bytes there are.
    pub bytes_len: usize,
}

/// What the host expects of a result: a graph of nodes, of which the first is the root. It is only read.
///
/// | kind of node | `bits` | `len` | expects |
/// |---|---|---|---|
/// | `NONE` | | | whatever it is; if its `dtype` is 1, all of it: what may be more than the items that it yields is an `OTHER`. So it is wherever the plan has no node, but for the root |
/// | `OBJECT` | | | a reference |
/// | `FUNCTION` | index of the first field | fields | a function or a value of the host's, or else a reference to what has the fields as methods; its `dtype` is 1 if it must be one that can be called |
/// | `LIST` | index of a node for the items | | items, also of an object array or a masked one |
/// | `DICT` | index of a node for the values | | pairs |
/// | `RECORD` | index of the first field | fields | pairs, or named attributes |
/// | `TUPLE` | index of the first field | fields | items by position; or arguments, by position and by name; its `dtype` is the index of the node for those that have no field, or 0 |
/// | `ARRAY` | | | an array that the host may write to, where it lies |
/// | `OTHER` | | | one value: a container is described by its class alone, as `OTHER` |
///
/// Items of an iterable that is no container are asked for where nothing, or a `LIST`, is expected: to ask uses an iterator up.
///
/// A field is a `TEXT` whose `bits` are an offset into `bytes` and whose `dtype` is the index of the node for its
/// value.
#[repr(C)]
#[derive(Debug)]
pub struct Plan {
    /// The nodes and fields.
    pub nodes: *const Value,
    /// How many there are.
    pub nodes_len: usize,
    /// The names.
    pub bytes: *const u8,
    /// How many bytes the names have.
    pub bytes_len: usize,
}

/// Ends a tree and the references in it. NULL is allowed. Any thread; never attaches and never waits.
///
/// # Safety
///
/// `tree` must be NULL or a tree that its owner did not end yet, and of whose values only `bits` of an `OBJECT` was
/// changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn snake_tree_free(tree: *mut Tree) {
    if !tree.is_null() {
        // SAFETY: every tree is the first field of an `Owned` from `build`, and the caller owns it.
        drop(unsafe { Box::from_raw(tree.cast::<Owned>()) });
    }
}

/// What stands behind a `Tree`.
#[repr(C)]
struct Owned {
    view: Tree,
    values: Vec<Value>,
    bytes: Vec<u8>,
    /// What values point into or name by a handle.
    kept: Vec<*mut Object>,
}

impl Owned {
    /// Gives all references to `end`.
    fn give_up(&mut self, end: impl Fn(*mut ffi::PyObject)) {
        for object in self.kept.drain(..) {
            end(object.cast());
        }
        for value in &mut self.values {
            if value.kind == Kind::Object as u32 {
                end(std::ptr::with_exposed_provenance_mut(
                    std::mem::take(&mut value.bits) as usize
                ));
            }
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.give_up(object::free);
    }
}

impl Tree {
    /// Ends a tree, or NULL, on a thread that is attached: its references are released at once, so that no other
    /// thread still has one of a lent array when its call looks whether Python has kept it.
    ///
    /// # Safety
    ///
    /// As for `snake_tree_free`.
    pub(crate) unsafe fn release(tree: *mut Tree) {
        if !tree.is_null() {
            // SAFETY: as in `snake_tree_free`.
            unsafe { Box::from_raw(tree.cast::<Owned>()) }.give_up(object::release);
        }
    }

    /// Describes `object`.
    pub(crate) fn build(object: &Bound<'_, PyAny>, plan: Option<&Plan>) -> Result<*mut Tree, Failure> {
        Self::fill(plan, false, |builder| builder.add(object, Node::at(0), 0))
    }

    /// Describes the arguments of a call of the host's: the positional ones, then a name and a value for each other.
    /// Arrays are not copied if their elements lie one after the other.
    pub(crate) fn of_arguments<'py>(
        arguments: &Bound<'py, PyTuple>,
        keywords: Option<&Bound<'py, PyDict>>,
        plan: Option<&Plan>,
    ) -> Result<*mut Tree, Failure> {
        Self::fill(plan, true, |builder| {
            let mut nodes = builder.plan.fields(Node::at(0));
            for argument in arguments.iter_borrowed() {
                let node = nodes.next().map_or_else(|| builder.plan.rest(), |field| field.1);
                builder.add(&argument, node, 0)?;
            }
            for (name, value) in keywords.into_iter().flatten() {
                builder.text(&name)?;
                let node = match name.extract::<&str>() {
                    Ok(name) => builder.plan.field(Node::at(0), name),
                    Err(_) => Node::ANY,
                };
                builder.add(&value, node, 0)?;
            }
            Ok(())
        })
    }

    fn fill<'py>(
        plan: Option<&Plan>,
        shares: bool,
        add: impl FnOnce(&mut Builder<'_, 'py>) -> Result<(), Failure>,
    ) -> Result<*mut Tree, Failure> {
        let view = Tree {
            values: null_mut(),
            values_len: 0,
            bytes: null_mut(),
            bytes_len: 0,
        };
        let mut owned = Box::new(Owned {
            view,
            values: Vec::new(),
            bytes: Vec::new(),
            kept: Vec::new(),
        });
        add(&mut Builder {
            tree: &mut owned,
            plan: Plan::read(plan)?,
            helper: None,
            shares,
        })?;
        owned.view = Tree {
            values: owned.values.as_mut_ptr(),
            values_len: owned.values.len(),
            bytes: owned.bytes.as_ptr(),
            bytes_len: owned.bytes.len(),
        };
        Ok(Box::into_raw(owned).cast())
    }
}

/// A plan, checked as far as it is followed.
struct PlanView<'a> {
    nodes: &'a [Value],
    bytes: &'a [u8],
}

/// A node of a plan; none expects whatever comes.
#[derive(Clone, Copy)]
struct Node {
    index: Option<u64>,
    /// What is expected is a list of what the node says: the column of a table whose rows it describes.
    listed: bool,
}

impl Node {
    const ANY: Node = Node {
        index: None,
        listed: false,
    };

    fn at(index: u64) -> Self {
        Node {
            index: Some(index),
            listed: false,
        }
    }
}

impl Plan {
    /// Whether the host expects nothing but a reference.
    pub(crate) fn expects_object(&self) -> bool {
        // SAFETY: the host promises that `nodes` points to as many nodes as it says.
        self.nodes_len > 0 && !self.nodes.is_null() && unsafe { (*self.nodes).kind } == Kind::Object as u32
    }

    fn read(plan: Option<&Plan>) -> Result<PlanView<'_>, Failure> {
        let Some(plan) = plan else {
            return Ok(PlanView { nodes: &[], bytes: &[] });
        };
        // SAFETY: the host promises that the pointers point to what their lengths say, and stay so during the call.
        let (nodes, bytes) = unsafe {
            (
                slice("plan", plan.nodes, plan.nodes_len),
                slice("plan", plan.bytes, plan.bytes_len),
            )
        };
        Ok(PlanView {
            nodes: nodes.map_err(Failure::Report)?,
            bytes: bytes.map_err(Failure::Report)?,
        })
    }
}

impl<'a> PlanView<'a> {
    fn node(&self, node: Node) -> Option<&'a Value> {
        self.nodes.get(usize::try_from(node.index?).ok()?)
    }

    fn expects(&self, node: Node, kind: Kind) -> bool {
        match self.node(node) {
            Some(_) if node.listed => kind == Kind::List,
            Some(node) => node.kind == kind as u32,
            None => false,
        }
    }

    /// The node for the items of what `node` expects.
    fn items(&self, node: Node) -> Node {
        if node.listed {
            return Node { listed: false, ..node };
        }
        self.node(node)
            .filter(|node| node.kind == Kind::List as u32 || node.kind == Kind::Dict as u32)
            .map_or(Node::ANY, |node| Node::at(node.bits))
    }

    /// The fields of a record or a tuple, the methods of a function: name and node.
    fn fields(&self, node: Node) -> impl Iterator<Item = (&'a str, Node)> + use<'a> {
        let parent = self.node(node).filter(|node| {
            [Kind::Record, Kind::Tuple, Kind::Function]
                .iter()
                .any(|&kind| node.kind == kind as u32)
        });
        let range = parent.filter(|_| !node.listed).and_then(|parent| {
            let start = usize::try_from(parent.bits).ok()?;
            self.nodes
                .get(start..start.checked_add(usize::try_from(parent.len).ok()?)?)
        });
        let bytes = self.bytes;
        range.unwrap_or_default().iter().map(move |field| {
            let name = usize::try_from(field.bits)
                .ok()
                .and_then(|start| bytes.get(start..start.checked_add(usize::try_from(field.len).ok()?)?))
                .and_then(|name| std::str::from_utf8(name).ok());
            (name.unwrap_or_default(), Node::at(u64::from(field.dtype)))
        })
    }

    /// Whether `node` takes what an iterable yields.
    fn takes_items(&self, node: Node) -> bool {
        self.node(node)
            .is_none_or(|parent| node.listed || [Kind::None, Kind::List].iter().any(|&kind| parent.kind == kind as u32))
    }

    /// Whether `node` takes the items only of what is known to be no more than they are.
    fn takes_all(&self, node: Node) -> bool {
        let is_all = |found: &Value| !node.listed && found.kind == Kind::None as u32 && found.dtype == 1;
        node.index.is_none() || self.node(node).is_some_and(is_all)
    }

    /// Whether `node`, a `FUNCTION`, expects what can be called.
    fn expects_callable(&self, node: Node) -> bool {
        self.node(node).is_some_and(|node| node.dtype == 1)
    }

    /// The node for arguments that have no field.
    fn rest(&self) -> Node {
        match self.node(Node::at(0)) {
            Some(root) if root.dtype != 0 => Node::at(u64::from(root.dtype)),
            _ => Node::ANY,
        }
    }

    fn field(&self, node: Node, name: &str) -> Node {
        self.fields(node)
            .find(|field| field.0 == name)
            .map_or(Node::ANY, |field| field.1)
    }

    /// The node for a named column, where `node` expects a list of rows.
    fn column(&self, node: Node, name: &str) -> Node {
        let row = self.items(node);
        let field = if self.expects(row, Kind::Record) {
            self.field(row, name)
        } else {
            self.items(row)
        };
        Node {
            listed: field.index.is_some(),
            ..field
        }
    }
}

struct Builder<'a, 'py> {
    tree: &'a mut Owned,
    plan: PlanView<'a>,
    helper: Option<Bound<'py, PyAny>>,
    /// Whether arrays may be described where they lie. Else they are copied, since nobody else may reach a result.
    shares: bool,
}

impl<'py> Builder<'_, 'py> {
    fn push(&mut self, value: Value) -> Result<usize, Failure> {
        if self.tree.values.len() >= MAX_VALUES {
            return Err(Failure::new(
                ErrorCode::Limit,
                format!("the result has more than {MAX_VALUES} values"),
            ));
        }
        reserve(&mut self.tree.values, 1)?;
        self.tree.values.push(value);
        Ok(self.tree.values.len() - 1)
    }

    fn leaf(&mut self, kind: Kind, bits: u64, len: u64) -> Result<(), Failure> {
        self.push(Value::new(kind, bits, len)).map(drop)
    }

    fn data(&mut self, kind: Kind, data: &[u8]) -> Result<(), Failure> {
        let position = self.tree.bytes.len() as u64;
        reserve(&mut self.tree.bytes, data.len())?;
        self.tree.bytes.extend_from_slice(data);
        self.leaf(kind, position, data.len() as u64)
    }

    fn text(&mut self, text: &Bound<'py, PyAny>) -> Result<(), Failure> {
        let (data, len) = utf8(text)?;
        // SAFETY: the str lives while its UTF-8 form is copied.
        self.data(Kind::Text, unsafe { std::slice::from_raw_parts(data, len) })
    }

    fn other(&mut self, what: &str) -> Result<(), Failure> {
        self.data(Kind::Other, what.as_bytes())
    }

    /// Refuses a container that is too deep.
    fn check_depth(depth: u32) -> Result<(), Failure> {
        if depth >= MAX_DEPTH {
            return Err(too_deep("the result"));
        }
        Ok(())
    }

    /// Adds a container and its children; their number is known when they are there, since code that runs meanwhile may
    /// change the container.
    fn container(
        &mut self,
        kind: Kind,
        children: impl FnOnce(&mut Self) -> Result<u64, Failure>,
    ) -> Result<(), Failure> {
        let head = self.push(Value::new(kind, 0, 0))?;
        self.tree.values[head].len = children(self)?;
        Ok(())
    }

    fn items(
        &mut self,
        kind: Kind,
        items: impl Iterator<Item = PyResult<Bound<'py, PyAny>>>,
        node: Node,
        depth: u32,
    ) -> Result<(), Failure> {
        Self::check_depth(depth)?;
        let each = self.plan.items(node);
        self.container(kind, |this| {
            let mut count = 0;
            for item in items {
                this.add(&item?, each, depth + 1)?;
                count += 1;
            }
            Ok(count)
        })
    }

    fn pairs(
        &mut self,
        kind: Kind,
        pairs: impl Iterator<Item = PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)>>,
        node: Node,
        depth: u32,
    ) -> Result<(), Failure> {
        Self::check_depth(depth)?;
        let each = self.plan.items(node);
        let is_record = self.plan.expects(node, Kind::Record);
        let is_rows = kind == Kind::Columns && self.plan.expects(node, Kind::List);
        self.container(kind, |this| {
            let mut count = 0;
            for pair in pairs {
                let (key, value) = pair?;
                this.add(&key, Node::ANY, depth + 1)?;
                let name = key.extract::<&str>();
                let node = match &name {
                    Ok(name) if is_rows => this.plan.column(node, name),
                    Ok(name) if is_record => this.plan.field(node, name),
                    _ => each,
                };
                this.add(&value, node, depth + 1).map_err(|failure| match &name {
                    Ok(name) if depth < NAMED_DEPTH => failure.of_part(name),
                    _ => failure,
                })?;
                count += 1;
            }
            Ok(count)
        })
    }

    /// Adds the description of `object`.
    fn add(&mut self, object: &Bound<'py, PyAny>, node: Node, depth: u32) -> Result<(), Failure> {
        if object.is_none() {
            return self.leaf(Kind::None, 0, 0);
        }
        if self.plan.expects(node, Kind::Object) {
            let reference = Object::give(object.clone());
            // The tree owns the reference from here on.
            return self.leaf(Kind::Object, reference.expose_provenance() as u64, 0);
        }
        if self.plan.expects(node, Kind::Function) {
            if let Some((kind, handle)) = callback::handle_of(object) {
                self.tree.kept.push(Object::give(object.clone()));
                return self.leaf(kind, handle, 0);
            }
            if self.plan.expects_callable(node) && !object.is_callable() {
                return self.other(&type_name(&object.get_type()));
            }
            let mut missing = Vec::new();
            for (name, _) in self.plan.fields(node) {
                if !object.getattr_opt(name)?.is_some_and(|method| method.is_callable()) {
                    missing.push(name);
                }
            }
            if !missing.is_empty() {
                let class = type_name(&object.get_type());
                return self.other(&format!("{class}, which lacks the methods {}", missing.join(", ")));
            }
            let reference = Object::give(object.clone());
            return self.leaf(Kind::Object, reference.expose_provenance() as u64, 0);
        }
        if let Ok(float) = object.cast::<PyFloat>() {
            self.leaf(Kind::Float, float.value().to_bits(), 0)
        } else if let Ok(truth) = object.cast::<PyBool>() {
            self.leaf(Kind::Bool, u64::from(truth.is_true()), 0)
        } else if object.is_instance_of::<PyInt>() {
            self.int(object)
        } else if object.is_instance_of::<PyString>() {
            self.text(object)
        } else if self.plan.expects(node, Kind::Other)
            && let Some(container) = container_name(object)
        {
            self.other(container)
        } else if let Ok(list) = object.cast::<PyList>() {
            self.items(Kind::List, list.iter().map(Ok), node, depth)
        } else if let Ok(tuple) = object.cast::<PyTuple>() {
            self.tuple(tuple, node, depth)
        } else if let Ok(dict) = object.cast_exact::<PyDict>() {
            // A copy, because code that runs meanwhile may change the dict.
            self.pairs(Kind::Dict, dict.copy()?.iter().map(Ok), node, depth)
        } else if array::from_object(object).is_some() {
            self.array(object, node, depth)
        } else if let Ok(bytes) = object.cast::<PyBytes>() {
            self.data(Kind::Bytes, bytes.as_bytes())
        } else if object.is_instance_of::<PyComplex>() {
            // SAFETY: attached, and the object is a complex.
            let (real, imaginary) = unsafe {
                (
                    ffi::PyComplex_RealAsDouble(object.as_ptr()),
                    ffi::PyComplex_ImagAsDouble(object.as_ptr()),
                )
            };
            self.leaf(Kind::Complex, real.to_bits(), imaginary.to_bits())
        } else if let Ok(set) = object.cast_exact::<PyFrozenSet>() {
            self.items(Kind::Set, set.iter().map(Ok), node, depth)
        } else if object.is_instance_of::<PySet>() || object.is_instance_of::<PyFrozenSet>() {
            // A copy, because code that runs meanwhile may change the set, and a class derived from it iterate over something
            // else. Python's own copies the hashes with the items; to add them one by one would call `__hash__`, which is such code.
            let copy = object.py().get_type::<PyFrozenSet>().call1((object,))?;
            let copy = copy.cast_into::<PyFrozenSet>().map_err(PyErr::from)?;
            self.items(Kind::Set, copy.iter().map(Ok), node, depth)
        } else if let Ok(bytes) = object.cast::<PyByteArray>() {
            self.data(Kind::Bytes, &bytes.to_vec())
        } else if let Some((kind, handle)) = callback::handle_of(object) {
            self.tree.kept.push(Object::give(object.clone()));
            self.leaf(kind, handle, 0)
        } else if let Some(bytes) = memoryview_bytes(object)? {
            self.data(Kind::Bytes, bytes.as_bytes())
        } else {
            self.explained(object, node, depth)
        }
    }

    fn int(&mut self, object: &Bound<'py, PyAny>) -> Result<(), Failure> {
        if let Some(int) = small_int(object) {
            return self.leaf(Kind::Int, int.cast_unsigned(), 0);
        }
        if let Ok(int) = object.extract::<u64>() {
            return self.leaf(Kind::Uint, int, 0);
        }
        // By the methods of int itself: a class derived from it may have its own.
        let int = object.py().get_type::<PyInt>();
        let bits: usize = int.call_method1("bit_length", (object,))?.extract()?;
        let signed = PyDict::new(object.py());
        signed.set_item("signed", true)?;
        let bytes = int.call_method("to_bytes", (object, bits / 8 + 1, "little"), Some(&signed))?;
        self.data(
            Kind::BigInt,
            bytes.cast_into::<PyBytes>().map_err(PyErr::from)?.as_bytes(),
        )
    }

    /// A tuple, or the fields of a named one.
    fn tuple(&mut self, tuple: &Bound<'py, PyTuple>, node: Node, depth: u32) -> Result<(), Failure> {
        let by_position = self.plan.expects(node, Kind::Tuple);
        if !by_position
            && !self.plan.expects(node, Kind::List)
            && !tuple.is_exact_instance_of::<PyTuple>()
            && let Ok(names) = tuple
                .getattr("_fields")
                .and_then(|names| names.cast_into::<PyTuple>().map_err(PyErr::from))
            && names.len() == tuple.len()
            && names.iter().all(|name| name.is_instance_of::<PyString>())
        {
            let head = self.tree.values.len();
            let pairs = names.iter().zip(tuple.iter()).map(Ok);
            self.pairs(Kind::Record, pairs, node, depth)?;
            self.tree.values[head].bits = 1;
            return Ok(());
        }
        if (self.plan.expects(node, Kind::Record) || self.plan.expects(node, Kind::Dict))
            && let Some(fields) = self.struct_fields(tuple, node)?
        {
            return self.pairs(
                Kind::Record,
                fields.try_iter()?.map(|pair| pair?.extract()),
                node,
                depth,
            );
        }
        if by_position || self.plan.expects(node, Kind::Record) {
            Self::check_depth(depth)?;
            let nodes: Vec<Node> = self.plan.fields(node).map(|field| field.1).collect();
            return self.container(Kind::Tuple, |this| {
                for (index, item) in tuple.iter().enumerate() {
                    this.add(&item, nodes.get(index).copied().unwrap_or(Node::ANY), depth + 1)?;
                }
                Ok(tuple.len() as u64)
            });
        }
        self.items(Kind::Tuple, tuple.iter().map(Ok), node, depth)
    }

    /// The fields of a struct sequence, such as `os.stat_result`, by name; none if a record is expected that has none of
    /// them, which is filled by position.
    fn struct_fields(&mut self, tuple: &Bound<'py, PyTuple>, node: Node) -> Result<Option<Bound<'py, PyAny>>, Failure> {
        if tuple.is_exact_instance_of::<PyTuple>() || tuple.getattr_opt("n_sequence_fields")?.is_none() {
            return Ok(None);
        }
        let py = tuple.py();
        let fields = package::module(py, "values")?.call_method1("struct_fields", (tuple,))?;
        if self.plan.expects(node, Kind::Record) {
            let names: Vec<&str> = self.plan.fields(node).map(|field| field.0).collect();
            let is_known = |pair: PyResult<Bound<'py, PyAny>>| -> PyResult<bool> {
                Ok(names.contains(&pair?.get_item(0)?.extract::<String>()?.as_str()))
            };
            if !fields
                .try_iter()?
                .map(is_known)
                .collect::<PyResult<Vec<_>>>()?
                .contains(&true)
            {
                return Ok(None);
            }
        }
        Ok(Some(fields))
    }

    fn array(&mut self, object: &Bound<'py, PyAny>, node: Node, depth: u32) -> Result<(), Failure> {
        let Some(array) = array::from_object(object) else {
            return self.other(&type_name(&object.get_type()));
        };
        if self.plan.expects(node, Kind::Array)
            && let Some(obstacle) = array.obstacle_to_writing()
        {
            return self.other(obstacle);
        }
        let Some(dtype) = array.plain() else {
            return self.explained(object, node, depth);
        };
        if array.dimensions() == 0 {
            return self.add(&object.call_method0("item")?, node, depth + 1);
        }
        self.elements(object, dtype)
    }

    /// Adds the elements of an array.
    fn elements(&mut self, object: &Bound<'py, PyAny>, dtype: Dtype) -> Result<(), Failure> {
        let Some(array) = array::from_object(object) else {
            return self.other(&type_name(&object.get_type()));
        };
        let (data, owner) = if self.shares && array.is_in_place() {
            (array.data(), object.clone())
        } else {
            array::contiguous(object)?
        };
        let bits = data.expose_provenance() as u64;
        self.tree.kept.push(Object::give(owner));
        let dimensions = array.dimensions();
        let (kind, len) = if dimensions == 1 {
            (Kind::Array, array.length(0))
        } else {
            (Kind::NdArray, dimensions as u64)
        };
        self.push(Value {
            dtype: dtype as u32,
            ..Value::new(kind, bits, len)
        })?;
        if kind == Kind::NdArray {
            for axis in 0..dimensions {
                self.leaf(Kind::Int, array.length(axis), 0)?;
            }
        }
        Ok(())
    }

    /// Adds what `gophersnake.values` says of an object; see there for the answers.
    fn explained(&mut self, object: &Bound<'py, PyAny>, node: Node, depth: u32) -> Result<(), Failure> {
        let py = object.py();
        let helper = match &self.helper {
            Some(helper) => helper.clone(),
            None => self
                .helper
                .insert(package::module(py, "values")?.getattr("describe")?)
                .clone(),
        };
        let wants_items = self.plan.expects(node, Kind::List);
        let names: Option<Vec<&str>> = self
            .plan
            .expects(node, Kind::Record)
            .then(|| self.plan.fields(node).map(|field| field.0).collect());
        let wants_mapping = self.plan.expects(node, Kind::Dict) || self.plan.takes_all(node);
        let answer = helper.call1((object, wants_items, names, wants_mapping))?;
        // An answer may lead to another one, as that of an enum whose value is an enum does.
        if depth > 2 * MAX_DEPTH {
            return Self::check_depth(depth);
        }
        let tag: String = answer.get_item(0)?.extract()?;
        let second = || answer.get_item(1);
        let number = |index: usize| -> PyResult<u64> { Ok(answer.get_item(index)?.extract::<i64>()?.cast_unsigned()) };
        match tag.as_str() {
            "value" => self.add(&second()?, node, depth + 1),
            "items" | "iterable" if !self.plan.takes_items(node) => self.other(&type_name(&object.get_type())),
            // What makes new items of its own class again and again is named, where a list only contains itself.
            "items" | "iterable" if depth >= MAX_DEPTH => Err(too_deep(&type_name(&object.get_type()))),
            "items" | "iterable" => {
                if tag == "iterable" {
                    let obstacle = package::module(py, "containers")?.getattr("obstacle")?;
                    let obstacle: Option<String> = obstacle.call1((second()?, self.plan.takes_all(node)))?.extract()?;
                    if let Some(what) = obstacle {
                        return self.other(&what);
                    }
                }
                let items = match second()?.try_iter() {
                    // Iterable by its class only, such as an array without a dimension.
                    Err(failure) if failure.is_instance_of::<PyTypeError>(py) => {
                        return self.other(&type_name(&object.get_type()));
                    }
                    items => items?,
                };
                let pause = package::module(py, "values")?.getattr("pause")?;
                let mut taken = 0_usize;
                let items = items.map(|item| {
                    taken += 1;
                    if taken.is_multiple_of(PAUSE) {
                        pause.call0()?;
                    }
                    item
                });
                self.items(Kind::List, items, node, depth)
            }
            "row" => {
                let items = answer.get_item(2)?.cast_into::<PyTuple>().map_err(PyErr::from)?;
                if self.plan.expects(node, Kind::Tuple) || self.plan.expects(node, Kind::List) {
                    return self.tuple(&items, node, depth);
                }
                let head = self.tree.values.len();
                let names = second()?.cast_into::<PyTuple>().map_err(PyErr::from)?;
                self.pairs(Kind::Record, names.iter().zip(items.iter()).map(Ok), node, depth)?;
                self.tree.values[head].bits = 1;
                Ok(())
            }
            "mapping" if self.plan.expects(node, Kind::Other) => self.other(&type_name(&object.get_type())),
            "mapping" => {
                // A copy, because code that runs meanwhile may change the mapping.
                let pairs = package::module(py, "containers")?.call_method1("pairs", (second()?,))?;
                if let Ok(what) = pairs.extract::<String>() {
                    return self.other(&what);
                }
                self.pairs(Kind::Dict, pairs.try_iter()?.map(|pair| pair?.extract()), node, depth)
            }
            "record" => self.pairs(
                Kind::Record,
                second()?.try_iter()?.map(|pair| pair?.extract()),
                node,
                depth,
            ),
            "columns" => self.pairs(
                Kind::Columns,
                second()?.try_iter()?.map(|pair| pair?.extract()),
                node,
                depth,
            ),
            "masked" => self.container(Kind::Masked, |this| {
                this.add(&second()?, Node::ANY, depth + 1)?;
                this.add(&answer.get_item(2)?, Node::ANY, depth + 1)?;
                Ok(2)
            }),
            "times" => {
                // An array of int64, each of which counts so many of a unit.
                self.elements(&second()?, array::time_dtype(&answer.get_item(2)?.extract::<String>()?))?;
                self.text(&answer.get_item(3)?)?;
                self.leaf(Kind::Int, number(4)?, 0)
            }
            "datetime" | "time" => {
                let (kind, nanoseconds) = match tag.as_str() {
                    "time" => (Kind::Time, 0),
                    _ => (Kind::Datetime, answer.get_item(4)?.extract()?),
                };
                let offset = answer.get_item(2)?;
                self.push(Value {
                    dtype: nanoseconds,
                    ..Value::new(kind, number(1)?, u64::from(!offset.is_none()))
                })?;
                if offset.is_none() {
                    return Ok(());
                }
                self.leaf(Kind::Int, number(2)?, 0)?;
                self.text(&answer.get_item(3)?)
            }
            "date" => self.leaf(Kind::Date, number(1)?, 0),
            "duration" => self.leaf(Kind::Duration, number(1)?, number(2)?),
            "decimal" => {
                self.text(&second()?)?;
                self.relabel(Kind::Decimal)
            }
            "rational" => self.container(Kind::Rational, |this| {
                this.int(&second()?)?;
                this.int(&answer.get_item(2)?)?;
                Ok(2)
            }),
            "image" => self.container(Kind::Image, |this| {
                this.text(&second()?)?;
                this.add(&answer.get_item(2)?, Node::ANY, depth + 1)?;
                Ok(2)
            }),
            "uuid" => match second()?.cast_into::<PyBytes>() {
                Ok(bytes) if bytes.as_bytes().len() == 16 => self.data(Kind::Uuid, bytes.as_bytes()),
                _ => self.other(&type_name(&object.get_type())),
            },
            _ => {
                let what: String = second()?.extract()?;
                self.other(&what)
            }
        }
    }

    /// Gives the last value another kind.
    fn relabel(&mut self, kind: Kind) -> Result<(), Failure> {
        if let Some(last) = self.tree.values.last_mut() {
            last.kind = kind as u32;
        }
        Ok(())
    }
}

/// After how many items of an iterable other threads get their turn, and interruptions come through: where C makes the
/// items, nothing else lets them.
const PAUSE: usize = 4096;

/// What the host calls a container of Python's own.
fn container_name(object: &Bound<'_, PyAny>) -> Option<&'static str> {
    if object.is_instance_of::<PyList>() {
        Some("list")
    } else if object.is_exact_instance_of::<PyTuple>() {
        Some("tuple")
    } else if object.is_instance_of::<PyDict>() {
        Some("dict")
    } else if object.is_instance_of::<PySet>() || object.is_instance_of::<PyFrozenSet>() {
        Some("set")
    } else {
        None
    }
}

/// How deep a failure names the parts of the result that it is in.
const NAMED_DEPTH: u32 = 3;

#[cold]
fn too_deep(what: &str) -> Failure {
    Failure::new(
        ErrorCode::Limit,
        format!("{what} nests deeper than {MAX_DEPTH} levels, or contains itself"),
    )
}

/// The bytes of a memoryview whose elements are bytes.
fn memoryview_bytes<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyBytes>>> {
    if !object.is_instance_of::<PyMemoryView>() {
        return Ok(None);
    }
    let format: String = object.getattr("format")?.extract()?;
    let dimensions: usize = object.getattr("ndim")?.extract()?;
    if format != "B" || dimensions != 1 {
        return Ok(None);
    }
    Ok(Some(object.call_method0("tobytes")?.cast_into()?))
}

/// Makes room. Results may be as large as memory: an exception, where Rust would end the process.
fn reserve<T>(items: &mut Vec<T>, more: usize) -> Result<(), Failure> {
    items
        .try_reserve(more)
        .map_err(|_| PyMemoryError::new_err(format!("no room for {more} items more of a result")).into())
}
