import * as compiled from "./compiled.ts";
import { asCopy } from "./define/origin.ts";

/**
 * What compiled modules import in place of `compiled` where a build may put one module into several bundles that one process loads,
 * as Next.js does. Not for people.
 */
export { registerClass, registerIfStored } from "./compiled.ts";

/** Makes a function a step. */
export const step: typeof compiled.step = Object.assign(copied<typeof compiled.step>(compiled.step), {
  code: compiled.step.code,
});
/** Makes a function a workflow. */
export const workflow: typeof compiled.workflow = copied(compiled.workflow);
/** Marks methods of an object literal, of a class, or of its instances. */
export const methods: typeof compiled.methods = copied(compiled.methods);

function copied<F extends (...args: never[]) => unknown>(define: F): F {
  return ((...args: Parameters<F>) => asCopy(() => define(...args))) as F;
}
