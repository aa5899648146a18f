/** `perdure/bun`: the compiler as a plugin. */
export { type BunPlugin, default, type PluginOptions } from "@perdure/compiler/bun";
