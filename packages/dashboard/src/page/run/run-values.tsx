import type { JSX } from "preact";
import type { RunDetail } from "../../protocol.ts";
import { Value } from "../value/value.tsx";
import { ValueSection } from "./panel.tsx";

/** The arguments, the result and the state of the run. */
export function RunValues({ detail }: { readonly detail: RunDetail }): JSX.Element {
  const { run, args, argsSeq, result, endSeq, state } = detail;
  const event = (seq: number | null) =>
    seq === null ? null : ({ runId: run.runId, of: "event", seq } as const);
  return (
    <aside class="panel" aria-label="Values of the run">
      <h2 class="unseen">Values</h2>
      <ValueSection title="Arguments">
        <Value label="the arguments" view={args} source={event(argsSeq)} />
      </ValueSection>
      {state !== null && (
        <ValueSection title="State">
          <Value label="the state" view={state} source={{ runId: run.runId, of: "state" }} />
        </ValueSection>
      )}
      {result !== null && (
        <ValueSection title="Result">
          <Value label="the result" view={result} source={event(endSeq)} />
        </ValueSection>
      )}
    </aside>
  );
}
