import { PARENT } from "../../parent.ts";
import { decode, encode } from "../../serialization/index.ts";
import type { Attributes, RunStatus } from "../../world/index.ts";
import { CALLER } from "./attributes.ts";

/** What the journal has of the runs that a workflow starts and awaits, as far as a run that goes on for it has to know. */

/** Part of what `start_run` and `run_once` are asked. */
interface StartAsked {
  readonly run: {
    readonly runId: string;
    readonly attributes: Attributes;
    readonly key: { readonly key: string; readonly fingerprint: string } | null;
  };
  readonly failedRuns?: "retry";
}

const STARTING: ReadonlySet<string> = new Set(["start_run", "run_once"]);

/** What a system step is asked, without what follows from its id, from its run, and from the time. */
export function askedOf(name: string, data: Uint8Array | null): Uint8Array | null {
  if (!STARTING.has(name)) return data;
  const { run, ...terms } = decode(data) as StartAsked;
  const { runId: _, attributes, key, ...what } = run;
  const { [PARENT]: _parent, [CALLER]: _caller, ...given } = attributes;
  const as = key && { key: key.key, fingerprint: key.fingerprint };
  return encode({ ...terms, run: { ...what, attributes: given, key: as } }, "input");
}

/** What the end of a system step tells of a run. */
interface Ending {
  readonly runId: string;
  readonly status: RunStatus;
}

/** The run that was awaited and has failed, if a result of this system step says so. */
export function failedRunIn(name: string | null | undefined, data: Uint8Array | null): string | null {
  if (name !== "watch_run") return null;
  const { runId, status } = decode(data) as Ending;
  return status === "failed" ? runId : null;
}

/** Whether the start which gave a run has it gone on with if it has failed, whoever started it first: its id. */
export function goneOnWithBy(
  name: string | null,
  asked: Uint8Array | null,
  result: Uint8Array | null,
): string | null {
  if (name === null || !STARTING.has(name) || (decode(asked) as StartAsked).failedRuns !== "retry")
    return null;
  const started = decode(result);
  return typeof started === "string" ? started : null;
}
