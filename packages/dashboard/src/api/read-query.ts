import { PARENT } from "@perdure/core/inspect";
import type { ListRunsQuery, RunFilter } from "@perdure/core/world";
import { badRequest } from "../answers.ts";
import type { RunStatus } from "../protocol.ts";

/** Query strings, read. What cannot be meant is a 400 that names the field. */

/** Every status. */
export const STATUSES: readonly RunStatus[] = [
  "pending",
  "running",
  "diverged",
  "completed",
  "failed",
  "cancelled",
];

/** Which runs. */
export function readFilter(query: URLSearchParams): RunFilter {
  const statuses = query.getAll("status").filter((status) => status !== "");
  const unknown = statuses.find((status) => !STATUSES.includes(status as RunStatus));
  if (unknown !== undefined) throw badRequest(`status: ${unknown} is none of ${STATUSES.join(", ")}.`);
  const workflow = textIn(query, "workflow");
  const parent = textIn(query, "parent");
  const [from, before] = [timeIn(query, "from"), timeIn(query, "before")];
  const attributes = query.getAll("attribute").filter((text) => text !== "");
  return {
    ...(statuses.length > 0 && { statuses: [...new Set(statuses)] as RunStatus[] }),
    ...(workflow !== null && { workflow }),
    ...((attributes.length > 0 || parent !== null) && {
      attributes: {
        ...Object.fromEntries(attributes.map(attributeOf)),
        ...(parent !== null && { [PARENT]: parent }),
      },
    }),
    ...(from !== null && { createdFrom: from }),
    ...(before !== null && { createdBefore: before }),
  };
}

/** Which page of which runs. */
export function readRunQuery(query: URLSearchParams): ListRunsQuery {
  const order = textIn(query, "order") ?? "desc";
  if (order !== "asc" && order !== "desc") throw badRequest('order: "asc" or "desc".');
  const cursor = textIn(query, "cursor");
  return {
    ...readFilter(query),
    order,
    limit: numberIn(query, "limit", { least: 1, most: 500 }) ?? 50,
    ...(cursor !== null && { cursor }),
  };
}

/** A text; `null` where there is none. */
export function textIn(query: URLSearchParams, name: string): string | null {
  const text = query.get(name);
  if (text === null || text === "") return null;
  if (text.length > 600) throw badRequest(`${name}: at most 600 characters.`);
  return text;
}

/** A whole number within bounds; `null` where there is none. */
export function numberIn(
  query: URLSearchParams,
  name: string,
  { least, most = Number.MAX_SAFE_INTEGER }: { readonly least: number; readonly most?: number },
): number | null {
  const text = textIn(query, name);
  if (text === null) return null;
  const number = Number(text);
  if (Number.isInteger(number) && number >= least && number <= most) return number;
  throw badRequest(
    most === Number.MAX_SAFE_INTEGER
      ? `${name}: a whole number from ${least} on.`
      : `${name}: a whole number from ${least} to ${most}.`,
  );
}

function timeIn(query: URLSearchParams, name: string): number | null {
  const text = textIn(query, name);
  if (text === null) return null;
  const time = /^-?\d+$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isFinite(time)) return time;
  throw badRequest(`${name}: milliseconds since the epoch, or a date such as 2026-11-26T08:00Z.`);
}

function attributeOf(text: string): readonly [name: string, value: string] {
  const at = text.indexOf("=");
  if (at < 1) throw badRequest("attribute: write it as name=value.");
  return [text.slice(0, at), text.slice(at + 1)];
}
