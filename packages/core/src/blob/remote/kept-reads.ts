import type { Agent } from 'node:http';
import type { Socket } from 'node:net';

/** Longer reads save little time, and cost memory: a body's copy of each is as long. */
const READ_BYTES = 64 * 1024;

/**
 * Lets each connection of an agent without TLS read into memory of its own. Node makes new memory for every read
 * otherwise, which is left to the collector. What a response gives is never that memory: Node's parser copies the bytes
 * of bodies.
 */
export function readIntoKeptMemory(agent: Agent): Agent {
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    const reading = { ...options, onread: keptMemory() };
    return connect(reading, callback);
  };
  return agent;
}

function keptMemory() {
  return {
    buffer: Buffer.allocUnsafeSlow(READ_BYTES),
    // The parser listens to the socket; a socket that is paused is not read, so nothing is given to nobody.
    callback(this: Socket, length: number, buffer: Uint8Array): boolean {
      this.emit('data', buffer.subarray(0, length));
      return true;
    },
  };
}
