import type { Logger } from "../logger.ts";
import type { Measurement } from "./interceptor.ts";
import { hooks, told } from "./registry.ts";

/** Measurements of the engine. Whoever measures asks {@link measures} first, so that no clock is read for nobody. */

/** Whether somebody wants to hear of measurements. */
export function measures(): boolean {
  return hooks.onMeasure.length > 0;
}

/** Something was measured. */
export function measured(logger: Logger, measurement: Measurement): void {
  for (const hook of hooks.onMeasure) told("onMeasure", logger, () => hook(measurement));
}
