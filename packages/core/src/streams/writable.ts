import { WorkflowRuntimeError } from "../errors/index.ts";
import { registerClass, WORKFLOW_DESERIALIZE, WORKFLOW_SERIALIZE } from "../serialization/index.ts";
import type { StreamAccess, StreamSink } from "./access.ts";
import { encodeChunk } from "./chunk-format.ts";
import { addressOf, refFrom, type StreamRef } from "./stream-ref.ts";
import { accessFor, ofStep, refuseStreamInWorkflow } from "./user.ts";

/** A stream of a run for those who write it. */

/** What `WritableStream` has that writes. */
const WRITES = ["getWriter", "close", "abort"] as const;

/** A chunk as it was when it was passed, or why it cannot be stored: whoever writes it hears of that in its turn. */
type Taken = { readonly bytes: Uint8Array } | { readonly error: unknown };

function take(chunk: unknown): Taken {
  try {
    return { bytes: encodeChunk(chunk) };
  } catch (error) {
    return { error };
  }
}

function bytesOf(taken: Taken | undefined): Uint8Array {
  if (taken === undefined)
    throw new WorkflowRuntimeError("A stream was asked to write what nobody has passed to it.");
  if ("error" in taken) throw taken.error;
  return taken.bytes;
}

/**
 * A `WritableStream` of a run. Any number of them write to one stream. In a workflow it is a value that is passed on; as an argument,
 * result or payload it crosses the journal as its name.
 */
export class WorkflowWritableStream<T = unknown> extends WritableStream<T> {
  readonly #ref: StreamRef;
  #access: StreamAccess | null;

  /** @internal */
  constructor(ref: StreamRef, access: StreamAccess | null) {
    let sink: StreamSink | null = null;
    const opened = (): StreamSink => {
      sink ??= accessFor(this.#access).sink(addressOf(ref));
      return sink;
    };
    // Chunks are written later, and taken as they are at the call: that is when a queue asks for the size of one.
    const taken: Taken[] = [];
    const size = (chunk: unknown): number => {
      taken.push(take(chunk));
      return 1;
    };
    super(
      { write: () => opened().write(bytesOf(taken.shift())), close: () => opened().close() },
      { highWaterMark: 1, size },
    );
    this.#ref = ref;
    this.#access = ofStep() ?? access;
  }

  static {
    for (const name of WRITES) {
      const write = Reflect.get(WritableStream.prototype, name) as (...args: unknown[]) => unknown;
      const value = function (this: WorkflowWritableStream, ...args: unknown[]): unknown {
        refuseStreamInWorkflow(`${name}() of a stream`);
        this.#access ??= accessFor(null);
        return write.apply(this, args);
      };
      Object.defineProperty(WorkflowWritableStream.prototype, name, {
        value,
        configurable: true,
        writable: true,
      });
    }
    // The names of static methods would have to be inferred in the declarations.
    Object.defineProperties(WorkflowWritableStream, {
      [WORKFLOW_SERIALIZE]: { value: (stream: WorkflowWritableStream) => stream.#ref },
      [WORKFLOW_DESERIALIZE]: {
        value: (data: unknown) => {
          const { ref, access } = refFrom(data);
          return new WorkflowWritableStream(ref, access);
        },
      },
    });
    registerClass("perdure/WritableStream", WorkflowWritableStream);
  }
}
