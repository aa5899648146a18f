import type { JSX } from "preact";
import type { WorkerList, WorkerRow } from "../protocol.ts";
import { pathOf } from "./api.ts";
import { counted, lengthOf, shortName } from "./format.ts";
import { Icon } from "./parts/icons.tsx";
import { Empty, Loading, Trouble } from "./parts/states.tsx";
import { Ago } from "./parts/time.tsx";
import { useEvery, useResource } from "./resource.ts";

/** The workers that live, what they execute, and how they are. */

const LOOK_AGAIN = 3_000;

export function WorkersPage(): JSX.Element {
  const { data, error, reload } = useResource<WorkerList>(pathOf("workers"));
  useEvery(LOOK_AGAIN, reload);
  const workers = data.value?.workers;
  return (
    <>
      <div class="page-head">
        <h1>Workers</h1>
        {workers !== undefined && <p class="muted">{counted(workers.length, "worker")} alive</p>}
      </div>
      {error.value !== null && <Trouble message={error.value} onRetry={reload} />}
      {workers === undefined && error.value === null && <Loading what="workers" />}
      {workers?.length === 0 && (
        <Empty title="No worker is alive.">
          <p>
            Runs wait until one is: <code>perdure worker &lt;files …&gt;</code>, or{" "}
            <code>createWorker()</code> in a program of yours.
          </p>
        </Empty>
      )}
      <ul class="cards">
        {workers?.map((worker) => (
          <Worker key={worker.workerId} worker={worker} />
        ))}
      </ul>
    </>
  );
}

function Worker({ worker }: { readonly worker: WorkerRow }): JSX.Element {
  const { workerId, host, pid, startedAt, seenAt, workflows, ok, reasons, heldRuns, slots, detached, lag } =
    worker;
  return (
    <li class={`card ${ok ? "" : "card-failed"}`}>
      <div class="card-head">
        <h2 class="code">{workerId}</h2>
        <span class={`status ${ok ? "is-completed" : "is-failed"}`}>
          <Icon name={ok ? "completed" : "failed"} />
          {ok ? "healthy" : "unhealthy"}
        </span>
      </div>
      {reasons.map((reason) => (
        <p key={reason} class="field-error">
          {reason}
        </p>
      ))}
      <div class="meters">
        <Meter name="Slots in use" value={slots.inUse} limit={slots.limit} />
        {detached.count > 0 && (
          <Meter name="Bodies that do not settle" value={detached.count} limit={detached.limit} />
        )}
      </div>
      <dl class="facts">
        <div>
          <dt>Runs</dt>
          <dd>{heldRuns}</dd>
        </div>
        <div>
          <dt>Steps in line</dt>
          <dd>{slots.queued}</dd>
        </div>
        <div>
          <dt>Lag</dt>
          <dd>{lag === null ? "none" : lengthOf(lag)}</dd>
        </div>
        <div>
          <dt>Place</dt>
          <dd>
            {host}, process {pid}
          </dd>
        </div>
        <div>
          <dt>Up since</dt>
          <dd>
            <Ago at={startedAt} />
          </dd>
        </div>
        <div>
          <dt>Seen</dt>
          <dd>
            <Ago at={seenAt} />
          </dd>
        </div>
      </dl>
      <p class="tags">
        {workflows.map((id) => (
          <span key={id} class="tag" title={id}>
            {shortName(id)}
          </span>
        ))}
      </p>
    </li>
  );
}

function Meter({
  name,
  value,
  limit,
}: {
  readonly name: string;
  readonly value: number;
  readonly limit: number;
}): JSX.Element {
  return (
    <div class="meter">
      <span>{name}</span>
      <span>
        {value} of {limit}
      </span>
      <meter min={0} max={limit} high={limit * 0.9} value={value} aria-label={name} />
    </div>
  );
}
