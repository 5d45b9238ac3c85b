/** The metrics page of a vLLM server, as far as load balancers read it. */

export type EngineLoad = {
  readonly model: string;
  readonly running: number;
  readonly waiting: number;
  /** 0 to 1. */
  readonly cacheUse: number;
};

/** Prometheus text, one series per model. */
export function vllmMetrics(loads: readonly EngineLoad[]): string {
  const gauge = (name: string, measure: (load: EngineLoad) => number) => [
    `# HELP ${name} ${name.replace('vllm:', '').replaceAll('_', ' ')}`,
    `# TYPE ${name} gauge`,
    ...loads.map((load) => `${name}{model_name="${load.model}",engine="0"} ${measure(load)}`),
  ];
  const cacheLabels = 'block_size="16",num_gpu_blocks="32768",engine="0"';
  return [
    ...gauge('vllm:num_requests_running', ({ running }) => running),
    ...gauge('vllm:num_requests_waiting', ({ waiting }) => waiting),
    ...gauge('vllm:kv_cache_usage_perc', ({ cacheUse }) => cacheUse),
    ...gauge('vllm:gpu_cache_usage_perc', ({ cacheUse }) => cacheUse),
    '# TYPE vllm:cache_config_info gauge',
    `vllm:cache_config_info{${cacheLabels}} 1`,
    '',
  ].join('\n');
}
