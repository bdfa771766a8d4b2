// A minimal writer of ONNX models: as much of protobuf and of onnx.proto as a BERT needs. Opset 17 is
// the first with LayerNormalization, IR version 8 goes with it.

export const FLOAT = 1, INT64 = 7; // TensorProto.DataType

// ---------------------------------------------------------------- protobuf

function varint(value) { // whole and not negative
    const bytes = [];
    for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
    return Buffer.from([...bytes, value]);
}
const integer = (number, value) => Buffer.concat([varint(number * 8), varint(value)]);
const bytes = (number, value) => {
    const content = Buffer.from(value);
    return Buffer.concat([varint(number * 8 + 2), varint(content.length), content]);
};
const message = (number, ...fields) => bytes(number, Buffer.concat(fields.flat()));
function float(number, value) {
    const content = Buffer.alloc(4);
    content.writeFloatLE(value);
    return Buffer.concat([varint(number * 8 + 5), content]);
}

// ---------------------------------------------------------------- onnx.proto

// A number is an INT, an array INTS, {float} a FLOAT.
function attribute(name, value) {
    const [type, fields] = Array.isArray(value) ? [7, value.map((v) => integer(8, v))]
        : typeof value === "object" ? [1, float(2, value.float)]
        : [2, integer(3, value)];
    return message(5, bytes(1, name), fields, integer(20, type));
}

// Each dimension of an input or output is a name or a number.
function valueInfo(number, name, type, shape) {
    const dims = shape.map((d) => message(1, typeof d === "string" ? bytes(2, d) : integer(1, d)));
    return message(number, bytes(1, name), message(2, message(1, integer(1, type), message(2, dims))));
}

// Collects nodes in the order of computation; values are known by name.
export class Graph {
    #fields = [];
    #n = 0;
    #constants = new Set();

    input(name, type, shape) {
        this.#fields.push(valueInfo(11, name, type, shape));
        return name;
    }

    output(name, value, type, shape) {
        this.#fields.push(message(1, bytes(1, value), bytes(2, name), bytes(4, "Identity")));
        this.#fields.push(valueInfo(12, name, type, shape));
    }

    // data: a Float32Array or BigInt64Array. The same name again is the same tensor.
    constant(name, shape, data) {
        if (!this.#constants.has(name)) {
            const type = data instanceof Float32Array ? FLOAT : INT64;
            const raw = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
            const dims = shape.map((d) => integer(1, d));
            this.#fields.push(message(5, dims, integer(2, type), bytes(8, name), bytes(9, raw)));
        }
        this.#constants.add(name);
        return name;
    }

    scalar(value) {
        return this.constant(`scalar ${value}`, [], Float32Array.of(value));
    }

    integers(...values) {
        return this.constant(`integers ${values}`, [values.length], BigInt64Array.from(values, BigInt));
    }

    // The name of the operator's result.
    op(type, inputs, attributes = {}) {
        const result = `${type} ${this.#n++}`;
        const settings = Object.entries(attributes).map(([name, value]) => attribute(name, value));
        this.#fields.push(message(1, inputs.map((i) => bytes(1, i)), bytes(2, result), bytes(4, type), settings));
        return result;
    }

    // The ModelProto.
    serialize() {
        return Buffer.concat([integer(1, 8), message(8, integer(2, 17)), message(7, bytes(2, "graph"), this.#fields)]);
    }
}
