"""The generator `openai`, put together."""

from consumers.generation.composed import ComposedGenerator
from consumers.generation.openai_writer.provider import Endpoint, Provider
from consumers.generation.openai_writer.reading import ModelReader
from consumers.generation.openai_writer.realiser import OpenAIRealiser
from consumers.generation.openai_writer.spending import Ledger, Prices
from runtime.settings import Settings


def openai_generator(settings: Settings) -> ComposedGenerator:
    """The generator of these settings, without a fallback. It lives as long as its process."""
    endpoint = Endpoint(
        base_url=settings.openai_base_url,
        api_key=settings.openai_api_key,
        model=settings.openai_model,
        timeout_seconds=settings.openai_timeout_seconds,
        concurrency=settings.openai_concurrency,
        max_output_tokens=settings.openai_max_output_tokens,
    )
    prices = Prices(settings.openai_input_usd_per_million, settings.openai_output_usd_per_million)
    # No more leased than can be asked for at a time: another process may be free.
    lease_ahead = min(settings.generate_concurrency, settings.openai_concurrency)
    provider = Provider(endpoint, Ledger(prices))
    return ComposedGenerator(
        OpenAIRealiser(provider), waits=True, lease_ahead=lease_ahead, reader=ModelReader(provider)
    )
