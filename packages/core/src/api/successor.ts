import { successorName } from "../names.ts";
import { type Look, type LookingOptions, patiently, untilSeen } from "./looking.ts";

/** Which run goes on for one that has failed, for somebody who waits for its result: its id, or `null`. */
export async function successorOf(
  runId: string,
  options: Omit<LookingOptions, "tells">,
): Promise<string | null> {
  const { world, clock } = options;
  const look = async (): Promise<Look<string | null>> => {
    const [held] = await world.getNames([successorName(runId)], clock.now());
    return { seen: held?.runId ?? null };
  };
  return await untilSeen({ ...options, tells: () => false }, patiently(look));
}
