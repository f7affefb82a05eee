/** The floor: node:http and onnxruntime-node with nothing between. Takes and gives the bodies that Ingot takes and gives. */
import { createServer } from 'node:http';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const [path, port] = process.argv.slice(2);
const session = await InferenceSession.create(path);
const [inputName] = session.inputNames;
const [outputName] = session.outputNames;

createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', async () => {
    const [input] = JSON.parse(Buffer.concat(chunks).toString()).inputs;
    const tensor = new Tensor('float32', Float32Array.from(input.data), input.shape);
    const result = (await session.run({ [inputName]: tensor }, [outputName]))[outputName];
    const data = Array.from(result.data, Number);
    const body = JSON.stringify({ model_name: 'forest', outputs: [{ name: outputName, datatype: 'INT64', shape: result.dims, data }] });
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
    response.end(body);
  });
}).listen(Number(port), '127.0.0.1');
