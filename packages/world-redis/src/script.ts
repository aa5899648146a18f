/** A Lua script and the name by which the server knows it once it has seen it. */
import { createHash } from "node:crypto";

export interface Script {
  /** For messages and for the conformance suite's probe. */
  readonly operation: string;
  readonly source: string;
  readonly sha: string;
  /** Whether it may write: then an acknowledgement waits for what `durability` asks for. */
  readonly writes: boolean;
}

/** A script that only reads. */
export function reading(operation: string, source: string): Script {
  return { operation, source, sha: createHash("sha1").update(source).digest("hex"), writes: false };
}

/** A script that may write. */
export function writing(operation: string, source: string): Script {
  return { ...reading(operation, source), writes: true };
}
