import { registerClass, WORKFLOW_DESERIALIZE, WORKFLOW_SERIALIZE } from "../serialization/index.ts";
import type { StreamAccess, StreamSink } from "./access.ts";
import { addressOf, refFrom, type StreamRef } from "./stream-ref.ts";
import { accessFor, ofStep, refuseStreamInWorkflow } from "./user.ts";

/** A stream of a run for those who write it. */

/** What `WritableStream` has that writes. */
const WRITES = ["getWriter", "close", "abort"] as const;

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
    super({
      write: (chunk) => opened().write(chunk),
      close: () => opened().close(),
    });
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
