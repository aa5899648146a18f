import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { AttemptView, EventRow, RunDetail, RunRow, TimelineEntry, ValueView } from "../../protocol.ts";
import { askForFork } from "../acts.tsx";
import { pathOf } from "../api.ts";
import { lengthOf } from "../format.ts";
import { mayAct } from "../info.ts";
import { Copy } from "../parts/copy.tsx";
import { Icon } from "../parts/icons.tsx";
import { Loading, Trouble } from "../parts/states.tsx";
import { Moment } from "../parts/time.tsx";
import { useResource } from "../resource.ts";
import { ErrorBox } from "../value/error.tsx";
import { plainJson } from "../value/join.ts";
import { Value } from "../value/value.tsx";

/** What stands beside the timeline or the journal: the values of the run, or what there is to know of the entry that was chosen. */

/** The frame of the details. On a phone it covers the lower part of the screen. */
function Panel(props: {
  readonly title: string;
  readonly kind: string;
  readonly close: () => void;
  readonly children: ComponentChildren;
}): JSX.Element {
  const { title, kind, close, children } = props;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus({ preventScroll: true }), [title]);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "Escape") close();
  };
  return (
    <aside class="panel panel-chosen" aria-label={`Details of ${title}`} onKeyDown={onKeyDown}>
      <div class="panel-head">
        <div>
          <p class="panel-kind">{kind}</p>
          <h2 ref={heading} tabIndex={-1}>
            {title}
          </h2>
        </div>
        <button type="button" class="icon-button" aria-label="Close the details" onClick={close}>
          <Icon name="close" />
        </button>
      </div>
      {children}
    </aside>
  );
}

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

function ValueSection({
  title,
  children,
}: {
  readonly title: string;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <section class="panel-section">
      <h3>{title}</h3>
      {children}
    </section>
  );
}

/** Of one thing that the run asked for. */
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

/** Of one event of the journal. */
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

function EventValue(props: {
  readonly runId: string;
  readonly seq: number;
  readonly label: string;
}): JSX.Element {
  const { runId, seq, label } = props;
  const { data, error, reload } = useResource<ValueView>(
    pathOf("value", { id: runId }, { of: "event", seq }),
  );
  const view = data.value;
  if (error.value !== null) return <Trouble message={error.value} onRetry={reload} />;
  if (view === null) return <Loading what={label} />;
  const { value } = view;
  // The error of a step is read as one, not as a tree.
  if (typeof value === "object" && value?.type === "error") return <ErrorBox error={value.error} />;
  return <Value label={label} view={view} source={{ runId, of: "event", seq }} />;
}

/** A line of a list of facts. */
export function Fact({
  name,
  children,
}: {
  readonly name: string;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
