/** The peers of the bus, behind one small face each; see bus-peers.d.mts. */

import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import EventEmitter2 from "eventemitter2";
import EventEmitter3 from "eventemitter3";
import fastq from "fastq";
import CircuitBreaker from "opossum";
import PQueue from "p-queue";

/** @type {typeof import("./bus-peers.d.mts").emitter} */
export function emitter() {
  return new EventEmitter3();
}

/** @type {typeof import("./bus-peers.d.mts").wildcardEmitter} */
export function wildcardEmitter() {
  return new EventEmitter2.EventEmitter2({ wildcard: true, delimiter: ".", maxListeners: 0 });
}

/** @type {typeof import("./bus-peers.d.mts").checkOf} */
export function checkOf(schema) {
  const ajv = new Ajv2020();
  formats(ajv);
  return ajv.compile(schema);
}

/** @type {typeof import("./bus-peers.d.mts").fastQueue} */
export function fastQueue(work, concurrency) {
  const queue = fastq.promise(work, concurrency);
  return (input) => queue.push(input);
}

/** @type {typeof import("./bus-peers.d.mts").promiseQueue} */
export function promiseQueue(work, concurrency) {
  const queue = new PQueue({ concurrency });
  return (input) => queue.add(() => work(input));
}

/** @type {typeof import("./bus-peers.d.mts").breaker} */
export function breaker(work, timeoutMs) {
  const circuit = new CircuitBreaker(work, { timeout: timeoutMs });
  return (input) => circuit.fire(input);
}
