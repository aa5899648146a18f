/**
 * Serialization: what crosses the journal, as bytes with a format byte in front.
 */
export { detached, named, type ReadSignal, type SignalData, type SignalHost, snapshot } from "./abort.ts";
export {
  afterReading,
  bytesOf,
  MAX_BODY_BYTES,
  readBody,
  rememberBody,
  UnreadBody,
  whenRead,
} from "./bodies.ts";
export { type Class, registerClass, WORKFLOW_DESERIALIZE, WORKFLOW_SERIALIZE } from "./classes.ts";
export { decodeError, encodeError, MAX_ERROR_BYTES, readable } from "./errors.ts";
export { fingerprint } from "./fingerprint.ts";
export { answerable, answerRequestsBy, type ReplyAddress } from "./http-values.ts";
export { inWords } from "./kinds.ts";
export type { ReadOptions } from "./read.ts";
export { largestBatch, largestValue, sizeInBatch, sizesInBatch, storable } from "./size.ts";
export { type StreamOutlet, withOutlet } from "./stream-values.ts";
export { asTaken, copyOf, decode, encode, encodingAll, isImmutable } from "./values.ts";
