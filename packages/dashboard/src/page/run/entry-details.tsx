import type { JSX } from "preact";
import type { AttemptView, RunDetail, TimelineEntry } from "../../protocol.ts";
import { askForFork } from "../acts.tsx";
import { lengthOf } from "../format.ts";
import { mayAct } from "../info.ts";
import { Copy } from "../parts/copy.tsx";
import { Moment } from "../parts/time.tsx";
import { ErrorBox } from "../value/error.tsx";
import { plainJson } from "../value/join.ts";
import { EventValue } from "./event-value.tsx";
import { Fact, Panel, ValueSection } from "./panel.tsx";

/** What there is to know of one thing that the run asked for. */
export function EntryDetails(props: {
  readonly detail: RunDetail;
  readonly entry: TimelineEntry;
  readonly close: () => void;
}): JSX.Element {
  const { detail, entry, close } = props;
  const {
    kind,
    label,
    id,
    name,
    createdAt,
    startedAt,
    endedAt,
    until,
    outcome,
    attempts,
    error,
    seq,
    endSeq,
  } = entry;
  const isStep = kind === "step";
  return (
    <Panel key={seq} title={label} kind={`${kind.replaceAll("_", " ")} · ${outcome}`} close={close}>
      <dl class="facts">
        <Fact name="Asked for">
          <Moment at={createdAt} />
        </Fact>
        {isStep && createdAt !== null && startedAt !== null && (
          <Fact name="Queue">{lengthOf(startedAt - createdAt)}</Fact>
        )}
        {isStep && startedAt !== null && endedAt !== null && (
          <Fact name="Execution">{lengthOf(endedAt - startedAt)}</Fact>
        )}
        {until !== null && (
          <Fact name="Sleeps until">
            <Moment at={until} />
          </Fact>
        )}
        {endedAt !== null && (
          <Fact name="Ended">
            <Moment at={endedAt} />
          </Fact>
        )}
        {name !== null && name !== label && (
          <Fact name="Name">
            <span class="code">{name}</span>
          </Fact>
        )}
        <Fact name="Id">
          <span class="code">{id}</span>
          <Copy text={id} what="the id" />
        </Fact>
        <Fact name="Events">
          {seq}
          {endSeq === null ? "" : ` to ${endSeq}`}
        </Fact>
      </dl>
      {isStep && mayAct.value && (
        <button
          type="button"
          class="button"
          onClick={() => askForFork(detail.run, { id, label }, plainJson(detail.args.value))}
        >
          Fork from this step …
        </button>
      )}
      {error !== null && <ErrorBox error={error} />}
      {attempts.length > 1 && <Attempts attempts={attempts} />}
      {entry.input !== null && (
        <ValueSection title={isStep ? "Arguments" : "Given"}>
          <EventValue runId={detail.run.runId} seq={seq} label="what it was given" />
        </ValueSection>
      )}
      {endSeq !== null && entry.output !== null && error === null && (
        <ValueSection title={isStep ? "Result" : "Received"}>
          <EventValue runId={detail.run.runId} seq={endSeq} label="what it gave" />
        </ValueSection>
      )}
    </Panel>
  );
}

function Attempts({ attempts }: { readonly attempts: readonly AttemptView[] }): JSX.Element {
  return (
    <ValueSection title="Attempts">
      <ol class="attempts">
        {attempts.map(({ attempt, outcome, startedAt, endedAt, error, retryAt }) => (
          <li key={attempt}>
            <p>
              <strong>{attempt}</strong> {outcome.replaceAll("_", " ")}
              {startedAt !== null && endedAt !== null && (
                <span class="muted"> after {lengthOf(endedAt - startedAt)}</span>
              )}
              {retryAt !== null && endedAt !== null && (
                <span class="muted">, again in {lengthOf(retryAt - endedAt)}</span>
              )}
            </p>
            {error !== null && <ErrorBox error={error} />}
          </li>
        ))}
      </ol>
    </ValueSection>
  );
}
