import type { Info } from "../protocol.ts";
import type { Call } from "../routes.ts";
import { version } from "../version.ts";
import { workflowsOf } from "./search.ts";

/** GET `api/info` */
export async function info({ store }: Call): Promise<Info> {
  const workflows = await workflowsOf(store);
  const { world, readOnly } = store;
  const { notifications, streams = false } = world.capabilities;
  return {
    world: world.name,
    store: world.describe(),
    readOnly,
    notifications,
    streams,
    now: Date.now(),
    version,
    workflows,
  };
}
