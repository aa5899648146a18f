import type { World } from "@perdure/core/world";
import type { Guard } from "./app.ts";

/** INTERIM */
export function keyed(_world: World, _lease: number): Guard {
  return (handler) => async (request) => {
    const key = request.headers.get("idempotency-key") ?? "";
    return await handler(request, { startKey: key, begin() {} });
  };
}
