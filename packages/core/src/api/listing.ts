import { checkOptionNames, type OptionNames } from "../option-names.ts";
import { PARENT } from "../parent.ts";
import type {
  Attributes,
  DamagedRun,
  ListRunsQuery,
  RunFilter,
  RunRecord,
  RunStatus,
  World,
} from "../world/index.ts";
import { type WorkflowFunction, workflowOf } from "./start-request.ts";

/** Lists of runs as programs ask for them: the World's filters with a program's types, checked. */

/** Which runs: those that fit every field that is there. */
export interface RunSelection {
  /** Runs of this workflow: the function, or its id. */
  // biome-ignore lint/suspicious/noExplicitAny: any workflow, whatever it takes and gives.
  readonly workflow?: WorkflowFunction<any, any> | string;
  /** In any of these statuses. */
  readonly statuses?: readonly RunStatus[];
  /** With every one of these attributes. */
  readonly attributes?: Attributes;
  /** Started by this run: the id of a run whose workflow called `start`. */
  readonly parent?: string;
  /** In this queue. */
  readonly queue?: string;
  /** Created at this time or later. */
  readonly createdFrom?: Date;
  /** Created before this time. */
  readonly createdBefore?: Date;
  /** Ended before this time; such a list is in the order of the ends. */
  readonly completedBefore?: Date;
}

/** What `listRuns` takes. */
export interface ListRunsOptions extends RunSelection {
  /** At most so many runs, 1 to 1000. Default 100. */
  readonly limit?: number;
  /** The `cursor` of the page before; `null` for the first. */
  readonly cursor?: string | null;
  /** `"desc"`, the newest first, is the default. */
  readonly order?: "asc" | "desc";
}

/** A run as a list shows it. */
export interface RunInfo {
  readonly runId: string;
  /** The workflow's id. */
  readonly workflowName: string;
  readonly status: RunStatus;
  readonly attributes: Attributes;
  /** When `start` asked for it. */
  readonly createdAt: Date;
  /** When the first worker began to execute it. */
  readonly startedAt: Date | undefined;
  /** When it ended, in whatever way. */
  readonly completedAt: Date | undefined;
}

const SELECTION: OptionNames<RunSelection> = {
  workflow: true,
  statuses: true,
  attributes: true,
  parent: true,
  queue: true,
  createdFrom: true,
  createdBefore: true,
  completedBefore: true,
};

/** One page of runs. */
export interface RunList {
  readonly runs: readonly RunInfo[];
  /** The runs of this page that the store cannot read, with the reason, in place of the above. */
  readonly damaged: readonly DamagedRun[];
  /** For the next page; `null` after the last. */
  readonly cursor: string | null;
}

const MOST = 1_000;
const STATUSES: readonly RunStatus[] = ["pending", "running", "completed", "failed", "cancelled", "diverged"];

/** Reads what was passed to `listRuns`. Throws a `TypeError` for what cannot be meant. */
export function listQuery(options: ListRunsOptions): ListRunsQuery {
  checkOptionNames<ListRunsOptions>("listRuns()", options, {
    ...SELECTION,
    limit: true,
    cursor: true,
    order: true,
  });
  const { limit = 100, cursor, order = "desc", ...selection } = options;
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST) {
    throw wrong("listRuns", "limit", `a whole number from 1 to ${MOST}`, limit);
  }
  if (order !== "asc" && order !== "desc") throw wrong("listRuns", "order", '"asc" or "desc"', order);
  if (cursor !== undefined && cursor !== null && typeof cursor !== "string") {
    throw wrong("listRuns", "cursor", "the cursor of a page, or null", cursor);
  }
  const page = typeof cursor === "string" ? { limit, order, cursor } : { limit, order };
  return { ...selectionFilter(selection, "listRuns"), ...page };
}

/** Reads which runs are meant. `caller` is named in errors. Throws a `TypeError` for what cannot be meant. */
export function selectionFilter(selection: RunSelection, caller: string): RunFilter {
  checkOptionNames(`${caller}()`, selection, SELECTION);
  const { workflow, statuses, attributes, parent, queue, createdFrom, createdBefore, completedBefore } =
    selection;
  return {
    ...(workflow !== undefined && { workflow: workflowId(workflow, caller) }),
    ...(statuses !== undefined && { statuses: statusesOf(statuses, caller) }),
    ...((attributes !== undefined || parent !== undefined) && {
      attributes: {
        ...attributesOf(attributes, caller),
        ...(parent !== undefined && { [PARENT]: text(parent, caller, "parent") }),
      },
    }),
    ...(queue !== undefined && { queue: text(queue, caller, "queue") }),
    ...(createdFrom !== undefined && { createdFrom: time(createdFrom, caller, "createdFrom") }),
    ...(createdBefore !== undefined && { createdBefore: time(createdBefore, caller, "createdBefore") }),
    ...(completedBefore !== undefined && {
      completedBefore: time(completedBefore, caller, "completedBefore"),
    }),
  };
}

/** One page of a list. */
export async function listRunsOf(world: World, query: ListRunsQuery): Promise<RunList> {
  const { runs, damaged, cursor } = await world.listRuns(query);
  return { runs: runs.map(runInfo), damaged, cursor };
}

function runInfo(run: RunRecord): RunInfo {
  const { runId, workflow, status, attributes, createdAt, startedAt, completedAt } = run;
  return {
    runId,
    workflowName: workflow,
    status,
    attributes: { ...attributes },
    createdAt: new Date(createdAt),
    startedAt: startedAt === null ? undefined : new Date(startedAt),
    completedAt: completedAt === null ? undefined : new Date(completedAt),
  };
}

function workflowId(workflow: unknown, caller: string): string {
  return typeof workflow === "string"
    ? text(workflow, caller, "workflow")
    : workflowOf(workflow, `${caller}()`);
}

function statusesOf(statuses: unknown, caller: string): readonly RunStatus[] {
  const known = (status: unknown): boolean => STATUSES.includes(status as RunStatus);
  if (!Array.isArray(statuses) || statuses.length === 0 || !statuses.every(known)) {
    throw wrong(caller, "statuses", `an array with some of ${STATUSES.join(", ")}`, statuses);
  }
  return [...new Set(statuses as RunStatus[])];
}

function attributesOf(attributes: unknown, caller: string): Attributes {
  if (attributes === undefined) return {};
  if (typeof attributes !== "object" || attributes === null || Array.isArray(attributes)) {
    throw wrong(caller, "attributes", "an object of texts", attributes);
  }
  for (const [name, value] of Object.entries(attributes)) text(value, caller, `attributes.${name}`);
  return attributes as Attributes;
}

function text(value: unknown, caller: string, name: string): string {
  if (typeof value !== "string" || value.length > 255) {
    throw wrong(caller, name, "a string of at most 255 characters", value);
  }
  return value;
}

function time(value: unknown, caller: string, name: string): number {
  if (!(value instanceof Date) || Number.isNaN(value.getTime()))
    throw wrong(caller, name, "a valid Date", value);
  return value.getTime();
}

function wrong(caller: string, name: string, wanted: string, value: unknown): TypeError {
  const given = typeof value === "string" || Array.isArray(value) ? JSON.stringify(value) : String(value);
  return new TypeError(`${caller}(): ${name} must be ${wanted}, got ${given.slice(0, 80)}.`);
}
