import { computed } from "@preact/signals";
import type { RunStatus } from "../../protocol.ts";
import type { Query } from "../api.ts";
import { parameters, setParameters } from "../navigation.ts";
import { STATUSES } from "../parts/status.tsx";

/** Which runs the list shows: kept in the address, under the names of the API. */

/** How far back; a length of time stays the same in a link that is opened tomorrow. */
export const SPANS: readonly { readonly value: string; readonly label: string; readonly ms: number }[] = [
  { value: "15min", label: "Last 15 minutes", ms: 900_000 },
  { value: "1h", label: "Last hour", ms: 3_600_000 },
  { value: "24h", label: "Last 24 hours", ms: 86_400_000 },
  { value: "7d", label: "Last 7 days", ms: 604_800_000 },
  { value: "30d", label: "Last 30 days", ms: 2_592_000_000 },
];

export interface Filter {
  readonly statuses: readonly RunStatus[];
  readonly workflow: string;
  readonly attributes: readonly string[];
  readonly parent: string;
  readonly span: string;
  /** What is searched for, which shows runs whatever the filters say. */
  readonly search: string;
}

/** The filter of the address. */
export const filter = computed<Filter>(() => {
  const given = parameters.value;
  return {
    statuses: STATUSES.filter((status) => given.getAll("status").includes(status)),
    workflow: given.get("workflow") ?? "",
    attributes: given.getAll("attribute"),
    parent: given.get("parent") ?? "",
    span: SPANS.find(({ value }) => value === given.get("span"))?.value ?? "",
    search: given.get("q") ?? "",
  };
});

/** Whether anything is filtered. */
export function isFiltered({ statuses, workflow, attributes, parent, span }: Filter): boolean {
  return statuses.length + attributes.length > 0 || workflow !== "" || parent !== "" || span !== "";
}

/** Changes parts of the filter; what is shown changes with the address. */
export function change(changes: Partial<Filter>): void {
  const { statuses, workflow, attributes, parent, span, search } = changes;
  setParameters({
    ...(statuses !== undefined && { status: statuses }),
    ...(workflow !== undefined && { workflow }),
    ...(attributes !== undefined && { attribute: attributes }),
    ...(parent !== undefined && { parent }),
    ...(span !== undefined && { span }),
    ...(search !== undefined && { q: search }),
  });
}

/** The filter as the API takes it. The beginning of a span is rounded, so that the same question is not asked anew each millisecond. */
export function queryOf({ statuses, workflow, attributes, parent, span }: Filter): Query {
  const ms = SPANS.find(({ value }) => value === span)?.ms;
  const from = ms === undefined ? null : Math.floor((Date.now() - ms) / 60_000) * 60_000;
  return { status: statuses, workflow, attribute: attributes, parent, from };
}
