"""What the consent centre tells: why a field is closed, the family, the stewards, withdrawals."""

from fastapi.testclient import TestClient

from tests.api.conftest import SignIn


def opened(steward: TestClient, client: str = "c0001") -> str:
    return steward.post("/consent", data={"client_id": client}).text


def change(steward: TestClient, what: str, value: str = "", client: str = "c0001") -> str:
    form = {"client_id": client, "change": what, "value": value}
    return steward.post("/consent/change", data=form).text


def test_a_closed_field_is_said_with_its_reason_and_its_remedy(steward: TestClient) -> None:
    assert "is closed" not in opened(steward)
    shown = change(steward, "level", "1")
    assert "It needs level 4 (full family finances); you gave level 1." in shown
    assert "Raise your authorization to level 4 or higher." in shown
    assert "您已授权" not in shown
    steward.headers["Accept-Language"] = "zh"
    assert "您已授权第 1 级" in opened(steward)


def test_another_member_s_objection_is_said_without_the_member(steward: TestClient) -> None:
    steward.put("/api/v1/clients/kin1", json={"household": "the_kin"})
    steward.put("/api/v1/clients/kin2", json={"household": "the_kin"})
    assert "nobody objects" in opened(steward, "kin2")
    change(steward, "object_family", client="kin1")
    shown = opened(steward, "kin2")
    assert "closed for the household" in shown
    assert "Who it was is told to nobody." in shown
    assert "kin1" not in shown
    assert "You objected." in opened(steward, "kin1")


def test_a_steward_s_acts_stand_in_both_places(steward: TestClient) -> None:
    change(steward, "level", "2")
    shown = opened(steward)
    assert "Lowered to level 2" in shown
    assert "Looked at the choices" in shown
    trail = steward.get("/consent").text
    assert "Lowered to level 2" in trail
    assert "<code>c0001</code>" in trail


def test_an_officer_sees_what_withdrawals_set_off_and_no_client(sign_in: SignIn) -> None:
    change(sign_in("steward"), "level", "0")
    shown = sign_in("privacy_officer").get("/withdrawals")
    assert shown.status_code == 200
    assert "c0001" not in shown.text
    assert sign_in("advisor").get("/withdrawals").status_code == 403
    assert sign_in("privacy_officer").get("/withdrawals?before=zz").status_code == 422
