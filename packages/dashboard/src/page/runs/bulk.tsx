import { computed, type Signal, signal } from "@preact/signals";
import type { JSX } from "preact";
import type { BulkRequest, BulkResult, Counts, RunStatus } from "../../protocol.ts";
import { pathOf, post, type Query } from "../api.ts";
import { count, counted } from "../format.ts";
import { ask, Choice, Field } from "../parts/dialog.tsx";
import { say } from "../parts/notices.tsx";
import { useResource } from "../resource.ts";
import { type Filter, queryOf } from "./filter.ts";

/** Acts on all runs that fit the filters of the list: says how many they are before, and what was done after. */

type BulkAct = BulkRequest["act"];

const OPEN: readonly RunStatus[] = ["pending", "running", "diverged"];

const ACTS: Readonly<
  Record<
    BulkAct,
    {
      readonly label: string;
      readonly did: string;
      readonly hint: string;
      readonly fits: readonly RunStatus[];
    }
  >
> = {
  retry: {
    label: "Retry",
    did: "Retried",
    hint: "Those that failed or diverged.",
    fits: ["failed", "diverged"],
  },
  cancel: {
    label: "Cancel",
    did: "Asked to end:",
    hint: "Those that have not ended. Their code may clean up.",
    fits: OPEN,
  },
  terminate: {
    label: "Terminate",
    did: "Terminated",
    hint: "Those that have not ended, without executing their code.",
    fits: OPEN,
  },
  wake: {
    label: "Wake",
    did: "Woken:",
    hint: "Ends the sleeps of those that are running.",
    fits: ["running"],
  },
  delete: {
    label: "Delete",
    did: "Deleted",
    hint: "Those that have ended. It cannot be undone.",
    fits: ["completed", "failed", "cancelled"],
  },
};

/** Asks what to do with the runs that fit a filter. */
export function askForBulk(filter: Filter): void {
  const act = signal<BulkAct>("retry");
  const progress = signal<string | null>(null);
  ask({
    title: "Act on all runs that fit the filters",
    body: <BulkBody act={act} filter={filter} progress={progress} />,
    confirm: computed(() => `${ACTS[act.value].label} them`),
    danger: true,
    act: (form, closed) =>
      perform({ act: act.value, filter, reason: String(form.get("reason") ?? "").trim(), progress, closed }),
  });
}

function BulkBody(props: {
  readonly act: Signal<BulkAct>;
  readonly filter: Filter;
  readonly progress: Signal<string | null>;
}): JSX.Element {
  const { act, filter, progress } = props;
  return (
    <>
      <Choice
        name="act"
        label="What to do"
        value={act.value}
        options={Object.entries(ACTS).map(([value, { label, hint }]) => ({ value, label, hint }))}
        onChange={(value) => {
          act.value = value as BulkAct;
        }}
      />
      {(act.value === "cancel" || act.value === "terminate") && (
        <Field name="reason" label="Reason" hint="It is kept with each run. May be left empty." />
      )}
      <HowMany act={act.value} filter={filter} />
      <p role="status" class="bulk-progress">
        {progress.value}
      </p>
    </>
  );
}

/** Of those that the filter shows, the act fits only these. */
function statusesFor(act: BulkAct, { statuses }: Filter): readonly RunStatus[] {
  const { fits } = ACTS[act];
  return statuses.length === 0 ? fits : fits.filter((status) => statuses.includes(status));
}

function HowMany({ act, filter }: { readonly act: BulkAct; readonly filter: Filter }): JSX.Element {
  const { status: _, ...query } = queryOf(filter) as Query & { status: unknown };
  const url = pathOf("counts", {}, query);
  const { data, error } = useResource<Counts>(url);
  const statuses = statusesFor(act, filter);
  const known = data.value;
  if (error.value !== null) return <p class="field-error">The runs cannot be counted: {error.value}</p>;
  const sum = known === null ? null : statuses.reduce((all, status) => all + known.counts[status], 0);
  return (
    <p class="bulk-count" role="status">
      {sum === null ? (
        "Counting …"
      ) : (
        <>
          <strong>{counted(sum, "run")}</strong> {sum === 1 ? "fits" : "fit"}:{" "}
          {statuses.length === 0 ? "none in these statuses" : statuses.join(", ")}.
        </>
      )}
    </p>
  );
}

async function perform(work: {
  readonly act: BulkAct;
  readonly filter: Filter;
  readonly reason: string;
  readonly progress: Signal<string | null>;
  readonly closed: AbortSignal;
}): Promise<void> {
  const { act, filter, reason, progress, closed } = work;
  const statuses = statusesFor(act, filter);
  if (statuses.length === 0) throw new Error("No run with the chosen statuses can be acted on like this.");
  const query = pathOf("bulk", {}, { ...queryOf(filter), status: statuses }).split("?")[1] ?? "";
  let done = 0;
  const failed: BulkResult["failed"][number][] = [];
  let cursor: string | null = null;
  do {
    const request: BulkRequest = { act, filter: query, cursor, ...(reason !== "" && { reason }) };
    const result: BulkResult = await post<BulkResult>(pathOf("bulk"), request);
    done += result.done;
    failed.push(...result.failed);
    cursor = result.cursor;
    progress.value = `${count(done)} done …`;
  } while (cursor !== null && !closed.aborted);
  say(`${ACTS[act].did} ${counted(done, "run")}${cursor === null ? "" : ", and stopped there"}.`);
  const [first] = failed;
  if (first !== undefined) {
    say(`${counted(failed.length, "run")} not: ${first.runId}: ${first.message}`, { failed: true });
  }
}
