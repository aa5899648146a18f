/** `perdure/vite`: the compiler as a plugin; `workflow` is the Workflow SDK's name for it. */
export { default, default as workflow, type PluginOptions } from "@perdure/compiler/vite";
