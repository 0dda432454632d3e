from fastapi.testclient import TestClient

from tests.api.people.conftest import Open

CLIENT = "/api/v1/clients/c0001"


def told(person: TestClient, path: str) -> list[tuple[str, str, object]]:
    return [(act["what"], act["who"], act["client"]) for act in person.get(path).json()]


def test_what_a_steward_did_is_told_to_the_steward_and_to_the_client(open_session: Open) -> None:
    steward, client = open_session("steward"), open_session("client")
    steward.put(CLIENT + "/level", json={"level": 2})
    steward.get(CLIENT + "/standing")
    looked, changed = told(client, CLIENT + "/steward-acts")
    assert looked == ("looked", "steward_person", "c0001")
    assert changed == ("changed", "steward_person", "c0001")
    assert told(steward, "/api/v1/steward-acts") == [looked, changed]
    (_, act) = client.get(CLIENT + "/steward-acts").json()
    assert (act["kind"], act["level"]) == ("lowered", 2)


def test_a_client_s_own_changes_are_nobody_s_acts(open_session: Open) -> None:
    client = open_session("client")
    client.put(CLIENT + "/level", json={"level": 1})
    client.get(CLIENT + "/standing")
    assert client.get(CLIENT + "/steward-acts").json() == []


def test_looking_again_within_minutes_is_one_look(steward: TestClient) -> None:
    for _ in range(3):
        steward.get(CLIENT + "/level")
    steward.get("/api/v1/clients/c0002/level")
    steward.get("/api/v1/clients/c9999/level")
    acts = told(steward, "/api/v1/steward-acts")
    assert acts == [("looked", "steward", "c0002"), ("looked", "steward", "c0001")]


def test_an_erasure_stays_in_the_trail_and_says_no_more_of_whom(steward: TestClient) -> None:
    steward.put("/api/v1/clients/c0002/level", json={"level": 1})
    assert steward.delete("/api/v1/clients/c0002").status_code == 200
    assert told(steward, "/api/v1/steward-acts") == [
        ("erased", "steward", None),
        ("changed", "steward", None),
    ]


def test_the_trail_comes_in_pages(steward: TestClient) -> None:
    for level in (1, 2, 3):
        steward.put(CLIENT + "/level", json={"level": level})
    answer = steward.get("/api/v1/steward-acts?limit=2")
    assert len(answer.json()) == 2
    further = steward.get(answer.links["next"]["url"])
    assert [act["level"] for act in answer.json() + further.json()] == [3, 2, 1]
    assert "next" not in further.links
