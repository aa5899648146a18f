/**
 * The JSON API between the page and the server: what is asked under which path, and what is answered. All paths are below the
 * dashboard's own, such as `/admin/perdure/api/runs`; `docs/dashboard.md` has them as a table.
 *
 * - Times are milliseconds since the epoch; lengths of time are milliseconds. Ids are strings.
 * - What is not there is `null`, never missing. Fields may be added: a reader passes over those that it does not know.
 * - An answer other than 2xx has an {@link ApiError} as its body.
 * - Whatever changes something is a POST with `content-type: application/json`, from the dashboard's own origin, and 403 where the
 *   dashboard is `readOnly`.
 */

export type * from "./protocol/acts.ts";
export type * from "./protocol/basics.ts";
export type * from "./protocol/charts.ts";
export type * from "./protocol/names.ts";
export * from "./protocol/paths.ts";
export type * from "./protocol/run.ts";
export type * from "./protocol/run-lists.ts";
export type * from "./protocol/values.ts";
