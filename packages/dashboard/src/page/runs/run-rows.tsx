import type { JSX } from "preact";
import type { RunRow } from "../../protocol.ts";
import { fromNow } from "../format.ts";
import { address } from "../navigation.ts";
import { Cell, Column, Rows } from "../parts/rows.tsx";
import { hasEnded, Status } from "../parts/status.tsx";
import { Ago, now, Took } from "../parts/time.tsx";
import { usePhone } from "../parts/width.ts";

/** A table of runs. */

/** What is said of a run beside its own columns. */
export interface RunRowsProps {
  readonly runs: readonly RunRow[];
  readonly label: string;
  /** How each was found, when they are the result of a search. */
  readonly by?: readonly string[];
  /** The end is near: there may be more to load. */
  readonly onEnd?: () => void;
  /** Which rows are seen, from one to another. */
  readonly onLook?: (first: number, last: number) => void;
}

const ROW = 36;
const PHONE_ROW = 64;
/** More rows are loaded so many rows before they are needed. */
const BEFORE_END = 40;

export function RunRows({ runs, label, by, onEnd, onLook }: RunRowsProps): JSX.Element {
  const phone = usePhone();
  const isBusy = runs.some(({ status }) => !hasEnded(status));
  return (
    <Rows
      as="table"
      class={`run-rows ${isBusy ? "" : "run-rows-ended"}`}
      label={label}
      count={runs.length}
      height={phone ? PHONE_ROW : ROW}
      head={
        <>
          <Column>Status</Column>
          <Column>Run</Column>
          <Column>{by === undefined ? "Attributes" : "Found by"}</Column>
          <Column>Created</Column>
          <Column class="end">Took</Column>
          <Column class="cell-now">Now</Column>
        </>
      }
      rowKey={(index) => runs[index]?.runId ?? String(index)}
      row={(index) => {
        const run = runs[index];
        return run === undefined ? null : <Cells run={run} found={by?.[index]} />;
      }}
      onView={(first, last) => {
        onLook?.(first, last);
        if (last >= runs.length - BEFORE_END) onEnd?.();
      }}
    />
  );
}

function Cells({ run, found }: { readonly run: RunRow; readonly found: string | undefined }): JSX.Element {
  return (
    <>
      <Cell class="cell-status">
        <Status status={run.status} />
      </Cell>
      <Cell class="cell-run">
        <a href={address({ run: run.runId })} title={run.workflow}>
          {run.name}
          <span class="row-id">{run.runId}</span>
        </a>
      </Cell>
      <Cell class="cell-attributes">
        {found === undefined ? <Attributes run={run} /> : <span class="tag">{found}</span>}
      </Cell>
      <Cell class="cell-created">
        <Ago at={run.createdAt} />
      </Cell>
      <Cell class="cell-took end">
        <Took from={run.startedAt} to={run.completedAt} open={run.status === "running"} />
      </Cell>
      <Cell class="cell-now muted">{doingNow(run, now.value)}</Cell>
    </>
  );
}

function Attributes({ run }: { readonly run: RunRow }): JSX.Element {
  const named = Object.entries(run.attributes);
  return (
    <>
      {run.key !== null && (
        <span class="tag" title={`Idempotency key ${run.key}`}>
          <b>key</b> {run.key}
        </span>
      )}
      {named.map(([name, value]) => (
        <span key={name} class="tag" title={`${name}=${value}`}>
          <b>{name}</b> {value}
        </span>
      ))}
    </>
  );
}

/** What a run is doing, in a few words. */
export function doingNow({ status, owner, dueAt }: RunRow, time: number): string {
  if (hasEnded(status)) return "";
  if (owner !== null) return `on ${owner}`;
  if (status === "diverged")
    return dueAt !== null && dueAt > time ? `parked, tried again ${fromNow(dueAt, time)}` : "parked";
  if (dueAt === null) return "waits for a message";
  if (dueAt > time) return `sleeps, goes on ${fromNow(dueAt, time)}`;
  return "waits for a worker";
}
