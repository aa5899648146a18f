/** `perdure/rollup`: the compiler as a plugin. */
export { default, type PluginOptions, type RollupPlugin } from "@perdure/compiler/rollup";
