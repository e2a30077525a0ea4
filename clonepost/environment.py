"""Settings from a set of variables, with mistakes in them told as a person needs to hear them."""

from collections.abc import Mapping

from pydantic import ValidationError

from runtime.errors import ClonepostError
from runtime.settings import Settings, kafka_client_settings


def settings_from(variables: Mapping[str, str]) -> Settings:
    """What this process's environment says, with Kafka's part from `variables`.

    Raises ClonepostError that names every bad one.
    """
    try:
        return Settings(kafka=kafka_client_settings(variables))
    except ValidationError as error:
        problems = [f"CLONEPOST_{'_'.join(str(p) for p in e['loc']).upper()}: {e['msg']}" for e in error.errors()]
        raise ClonepostError("; ".join(problems)) from error


def quiet(settings: Settings) -> Settings:
    """The same without librdkafka's own log lines, for commands that tell a person what is wrong in words of ours."""
    return settings.model_copy(update={"kafka": {"log_level": "0", **settings.kafka}})
