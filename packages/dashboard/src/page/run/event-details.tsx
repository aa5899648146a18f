import type { JSX } from "preact";
import type { EventRow, RunRow } from "../../protocol.ts";
import { Copy } from "../parts/copy.tsx";
import { Trouble } from "../parts/states.tsx";
import { Moment } from "../parts/time.tsx";
import { EventValue } from "./event-value.tsx";
import { Fact, Panel, ValueSection } from "./panel.tsx";

/** What there is to know of one event of the journal. */
export function EventDetails(props: {
  readonly run: RunRow;
  readonly event: EventRow;
  readonly close: () => void;
}): JSX.Element {
  const { run, event, close } = props;
  const { seq, type, at, id, name, text, unreadable } = event;
  return (
    <Panel key={seq} title={type} kind={`event ${seq}`} close={close}>
      <dl class="facts">
        <Fact name="At">
          <Moment at={at} />
        </Fact>
        {name !== null && (
          <Fact name="Name">
            <span class="code">{name}</span>
          </Fact>
        )}
        {id !== null && (
          <Fact name="Id">
            <span class="code">{id}</span>
            <Copy text={id} what="the id" />
          </Fact>
        )}
      </dl>
      {unreadable !== null && text === null && <Trouble message={`It cannot be read: ${unreadable}`} />}
      {text === null ? (
        unreadable === null && <p class="hint">It has no value.</p>
      ) : (
        <ValueSection title="Value">
          <EventValue runId={run.runId} seq={seq} label="the value" />
        </ValueSection>
      )}
    </Panel>
  );
}
