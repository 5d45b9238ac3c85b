/** `model price|unprice|list`. */
import type { Command } from 'commander';
import type { OfferedPrice } from '../../domain/fleet.ts';
import type { Model } from '../../domain/model.ts';
import {
  formatUsd,
  formatUsdPerMillion,
  type PicoUsd,
  parseUsd,
  parseUsdPerMillion,
  picoUsd,
} from '../../domain/money.ts';
import { answer, type CommandContext, CommandError, type Output, usageError } from '../command.ts';

type PriceOptions = Output & {
  input?: string;
  cachedInput?: string;
  output?: string;
  image?: string;
  imageMegapixel?: string;
};

const viewPrice = (price: OfferedPrice) => ({
  input_usd_per_million: formatUsdPerMillion(price.inputToken),
  cached_input_usd_per_million: formatUsdPerMillion(price.cachedInputToken),
  output_usd_per_million: formatUsdPerMillion(price.outputToken),
  image_usd: formatUsd(price.image),
  image_megapixel_usd: formatUsdPerMillion(price.imagePixel),
});

export function addModelCommands(program: Command, context: CommandContext): void {
  const model = program.command('model').description('models and their prices');

  model
    .command('price <model>')
    .description("set the operator's price, which goes before the one that discovery offers")
    .option('--input <usd>', 'per million input tokens')
    .option('--cached-input <usd>', 'per million cached input tokens; the input price if left out')
    .option('--output <usd>', 'per million output tokens')
    .option('--image <usd>', 'per picture')
    .option('--image-megapixel <usd>', 'per million pixels of pictures')
    .option('--json', 'print JSON')
    .action(async (id: string, options: PriceOptions) => {
      const price = parsePrice(options);
      const { version } = await (await context.storage()).prices.set(id, price);
      const value = { model: id, version, ...viewPrice(price) };
      answer(context, options, { value, rows: [value] });
    });

  model
    .command('unprice <model>')
    .description("remove the operator's price")
    .option('--json', 'print JSON')
    .action(async (id: string, options: Output) => {
      if (!(await (await context.storage()).prices.remove(id))) {
        throw new CommandError(`There is no price of the operator for ${id}.`);
      }
      answer(context, options, { value: { model: id }, rows: [{ model: id }] });
    });

  model
    .command('list')
    .description('the models on offer')
    .option('--json', 'print JSON')
    .action(async (options: Output) => {
      const { models } = await (await context.storage()).catalogue.read();
      const value = models.map(viewModel);
      const rows = value.map((one) => ({ ...one, endpoints: one.endpoints.join(' ') }));
      answer(context, options, { value, rows, ...(rows.length ? {} : { note: 'no models' }) });
    });
}

const viewModel = ({ id, endpoints, protocols, price }: Model) => ({
  id,
  endpoints,
  state: stateOf(protocols.length > 0, price !== undefined),
  input_usd_per_million: price ? formatUsdPerMillion(price.inputToken) : '',
  output_usd_per_million: price ? formatUsdPerMillion(price.outputToken) : '',
  image_usd: price ? formatUsd(price.image) : '',
});

function stateOf(served: boolean, priced: boolean): string {
  if (!priced) return 'unpriced';
  return served ? 'callable' : 'no nodes';
}

function parsePrice(options: PriceOptions): OfferedPrice {
  const given = [options.input, options.output, options.image, options.imageMegapixel];
  if (given.every((text) => text === undefined)) {
    throw usageError('Give at least one of --input, --output, --image, --image-megapixel.');
  }
  const inputToken = perMillion(options.input, '--input');
  return {
    inputToken,
    cachedInputToken:
      options.cachedInput === undefined
        ? inputToken
        : perMillion(options.cachedInput, '--cached-input'),
    outputToken: perMillion(options.output, '--output'),
    image: amount(options.image, '--image'),
    imagePixel: perMillion(options.imageMegapixel, '--image-megapixel'),
  };
}

function perMillion(text: string | undefined, option: string): PicoUsd {
  if (text === undefined) return picoUsd(0n);
  const price = parseUsdPerMillion(text);
  if (price !== undefined) return price;
  throw usageError(
    `${option} takes dollars per million with at most 6 decimal places, not "${text}".`,
  );
}

function amount(text: string | undefined, option: string): PicoUsd {
  if (text === undefined) return picoUsd(0n);
  const price = parseUsd(text);
  if (price !== undefined) return price;
  throw usageError(`${option} takes dollars such as 0.02, not "${text}".`);
}
