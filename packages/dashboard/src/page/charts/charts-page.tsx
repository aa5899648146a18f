import type { JSX } from "preact";
import { useId, useMemo } from "preact/hooks";
import type { Charts } from "../../protocol.ts";
import { pathOf } from "../api.ts";
import { count, lengthOf } from "../format.ts";
import { info } from "../info.ts";
import { address, parameters, setParameters } from "../navigation.ts";
import { Loading, Trouble } from "../parts/states.tsx";
import { useEvery, useResource } from "../resource.ts";
import { Chart, type Series } from "./chart.tsx";

/** How much is done, how long it takes, how much fails, and how much waits. */

const LOOK_AGAIN = 10_000;

const RANGES = [
  { value: "1h", label: "Last hour" },
  { value: "6h", label: "Last 6 hours" },
  { value: "24h", label: "Last 24 hours" },
  { value: "7d", label: "Last 7 days" },
  { value: "30d", label: "Last 30 days" },
] as const;

export function ChartsPage(): JSX.Element {
  const range = RANGES.find(({ value }) => value === parameters.value.get("range"))?.value ?? "1h";
  const workflow = parameters.value.get("workflow") ?? "";
  const { data, error, reload } = useResource<Charts>(pathOf("charts", {}, { range, workflow }));
  useEvery(LOOK_AGAIN, reload);
  const [rangeId, workflowId] = [useId(), useId()];
  const charts = data.value;
  return (
    <>
      <div class="page-head">
        <h1>Charts</h1>
        <div class="filters">
          <label class="unseen" for={workflowId}>
            Workflow
          </label>
          <select
            id={workflowId}
            value={workflow}
            onChange={(event) => setParameters({ workflow: event.currentTarget.value })}
          >
            <option value="">Every workflow</option>
            {info.value?.workflows.map((id) => (
              <option key={id} value={id}>
                {id}
              </option>
            ))}
          </select>
          <label class="unseen" for={rangeId}>
            Time
          </label>
          <select
            id={rangeId}
            value={range}
            onChange={(event) => setParameters({ range: event.currentTarget.value })}
          >
            {RANGES.map(({ value, label }) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </div>
      </div>
      {error.value !== null && <Trouble message={error.value} onRetry={reload} />}
      {charts === null && error.value === null && <Loading what="charts" />}
      {charts !== null && <Drawn charts={charts} />}
    </>
  );
}

function Drawn({ charts }: { readonly charts: Charts }): JSX.Element {
  const { times, now, estimated, step } = charts;
  const sets = useMemo(() => seriesOf(charts), [charts]);
  return (
    <>
      <ul class="tiles">
        <Tile name="Running" value={count(now.counts.running)} href={address({ status: "running" })} />
        <Tile name="Pending" value={count(now.counts.pending)} href={address({ status: "pending" })} />
        <Tile
          name="Failed"
          value={count(now.counts.failed)}
          href={address({ status: "failed" })}
          bad={now.counts.failed > 0}
        />
        <Tile
          name="Diverged"
          value={count(now.counts.diverged)}
          href={address({ status: "diverged" })}
          bad={now.counts.diverged > 0}
        />
        <Tile
          name="Workers"
          value={count(now.workers)}
          href={address({ page: "workers" })}
          bad={now.workers === 0}
        />
        <Tile name="Lag" value={lagText(now)} />
        <Tile name="Slots in use" value={`${count(now.slots.inUse)} of ${count(now.slots.limit)}`} />
      </ul>
      {estimated && (
        <p class="hint">
          There are more runs than are read for a chart: each column is estimated from the last runs in it.
        </p>
      )}
      <div class="charts">
        <Chart
          title="Throughput"
          hint={`Runs that ended, for each ${lengthOf(step)}.`}
          times={times}
          series={sets.throughput}
          format={count}
        />
        <Chart
          title="Failures"
          hint="The part of the ended runs that failed."
          times={times}
          series={sets.failures}
          format={percent}
        />
        <Chart
          title="Latency"
          hint="From the start of a run to its end."
          times={times}
          series={sets.took}
          format={lengthOf}
        />
        <Chart
          title="Waiting"
          hint="From the creation of a run to its start."
          times={times}
          series={sets.waited}
          format={lengthOf}
        />
        <Chart
          title="Backlog"
          hint="Runs that wait for a worker, seen while a dashboard was open."
          times={times}
          series={sets.backlog}
          format={count}
        />
        <Chart
          title="Lag"
          hint="How long the run was due that was due longest."
          times={times}
          series={sets.lag}
          format={lengthOf}
        />
      </div>
    </>
  );
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
}

function seriesOf(
  charts: Charts,
): Readonly<Record<"throughput" | "failures" | "took" | "waited" | "backlog" | "lag", readonly Series[]>> {
  const { completed, failed, cancelled, times } = charts;
  const ended = times.map(
    (_, index) => (completed[index] ?? 0) + (failed[index] ?? 0) + (cancelled[index] ?? 0),
  );
  const share = ended.map((all, index) => (all === 0 ? null : (failed[index] ?? 0) / all));
  return {
    throughput: [
      { name: "all", colour: "--completed", values: ended, columns: true },
      { name: "failed", colour: "--failed", values: failed, columns: true },
    ],
    failures: [{ name: "failed", colour: "--failed", values: share, columns: true }],
    took: lines(charts.tookP50, charts.tookP95),
    waited: lines(charts.waitedP50, charts.waitedP95),
    backlog: [{ name: "pending", colour: "--running", values: charts.backlog }],
    lag: [{ name: "lag", colour: "--cancelled", values: charts.lag }],
  };
}

function lines(p50: Charts["tookP50"], p95: Charts["tookP95"]): Series[] {
  return [
    { name: "median", colour: "--running", values: p50 },
    { name: "95 %", colour: "--diverged", values: p95, dashed: true },
  ];
}

function Tile(props: {
  readonly name: string;
  readonly value: string;
  readonly href?: string;
  readonly bad?: boolean;
}): JSX.Element {
  const { name, value, href, bad = false } = props;
  const content = (
    <>
      <span class="tile-value">{value}</span>
      <span class="tile-name">{name}</span>
    </>
  );
  return (
    <li class={`tile ${bad ? "tile-bad" : ""}`}>
      {href === undefined ? <div>{content}</div> : <a href={href}>{content}</a>}
    </li>
  );
}

/** Workers tell of the lag: without one nobody knows it. */
function lagText({ lag, workers }: Charts["now"]): string {
  if (lag !== null) return lengthOf(lag);
  return workers === 0 ? "unknown" : "none";
}
